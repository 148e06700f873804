package deploy

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPays(t *testing.T) {
	for _, c := range []struct {
		probe probe
		took  time.Duration
		want  bool
	}{
		{probe{packing: 10 * time.Millisecond, saves: 0.5}, 39 * time.Millisecond, false},
		{probe{packing: 10 * time.Millisecond, saves: 0.5}, 41 * time.Millisecond, true},
		{probe{packing: 10 * time.Millisecond, saves: -0.01}, time.Hour, false},
	} {
		if got := c.probe.pays(c.took); got != c.want {
			t.Errorf("%+v, %v: %v", c.probe, c.took, got)
		}
	}
}

func TestWhatAPieceSaves(t *testing.T) {
	noise := make([]byte, piece)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		piece    []byte
		from, to float64
	}{{noise, -0.1, 0.01}, {make([]byte, piece), 0.99, 1}} {
		p, err := newProbe(c.piece, ticking(5*time.Millisecond))
		if err != nil || p.saves < c.from || p.saves > c.to || p.packing != 5*time.Millisecond {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

// ticking is a clock that goes on by these steps, one each time that it is looked at, and by the last one from then on.
func ticking(steps ...time.Duration) func() time.Time {
	now, n := time.Unix(0, 0), 0
	return func() time.Time {
		if n > 0 {
			now = now.Add(steps[min(n, len(steps))-1])
		}
		n++
		return now
	}
}

// slowWay and quickWay are clocks of a caller: a piece is compressed in a millisecond, and then it takes so long to arrive.
func slowWay() func() time.Time  { return ticking(time.Millisecond, 0, time.Hour) }
func quickWay() func() time.Time { return ticking(time.Millisecond, 0, time.Microsecond) }

// TestPackedWhereItPays: over a slow way the program travels compressed, over a quick one as it is, and arrives.
func TestPackedWhereItPays(t *testing.T) {
	me, err := own()
	if err != nil {
		t.Fatal(err)
	}
	packed, err := me.packed()
	if err != nil {
		t.Fatal(err)
	}
	for name, shell := range shells(t) {
		for way, c := range map[string]struct {
			clock func() func() time.Time
			want  int64
		}{"slow": {slowWay, piece + int64(len(packed))}, "quick": {quickWay, piece + me.size}} {
			t.Run(name+" "+way, func(t *testing.T) {
				home := t.TempDir()
				f := farIn(t, shell, home)
				f.now = c.clock()
				r, out, noise, err := f.call(t, Options{})
				if err != nil || !r.Pushed || r.Sent != c.want || noise != "" || !strings.HasSuffix(out, "hello") {
					t.Errorf("%+v, want %d sent; %q %q %v", r, c.want, out, noise, err)
				}
			})
		}
	}
}

// TestOneProbe: one place after the other is offered and refused, and the way is looked at once.
func TestOneProbe(t *testing.T) {
	me, err := own()
	if err != nil {
		t.Fatal(err)
	}
	packed, err := me.packed()
	if err != nil {
		t.Fatal(err)
	}
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			f := farIn(t, shell, home)
			f.now = slowWay()
			f.change = strings.NewReplacer(`[ "$r" = "$d" ] || fail "the program does not start`, `false || fail "the program does not start`,
				" /dev/shm", " "+home, " /tmp", " "+home, " /var/tmp", " "+home) // places of this machine's are not for tests
			r, _, _, err := f.call(t, Options{})
			if e, ok := err.(*Error); !ok || len(e.Tried) < 2 || r.Sent < int64(2*len(packed)) || (r.Sent-piece)%int64(len(packed)) != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// TestTheFileChangesMeanwhile: what is sent of a file that was replaced has no name there, and the error says so.
func TestTheFileChangesMeanwhile(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	shell := []string{"/bin/sh"}
	for change, do := range map[string]func(file string) error{
		"shorter": func(file string) error { return os.Truncate(file, int64(len(self)-1)) },
		"another": func(file string) error { return os.WriteFile(file, make([]byte, len(self)), 0o600) },
	} {
		for way, clock := range map[string]func() time.Time{"slow": slowWay(), "quick": quickWay()} {
			t.Run(change+" "+way, func(t *testing.T) {
				file, home := filepath.Join(t.TempDir(), "program"), t.TempDir()
				f := farIn(t, shell, home)
				f.now = clock
				if err := os.WriteFile(file, self, 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := fromFile(file); err != nil {
					t.Fatal(err)
				}
				if err := do(file); err != nil {
					t.Fatal(err)
				}
				_, _, _, err := f.call(t, Options{Programs: map[string]string{here: file}, Cache: filepath.Join(home, "c")})
				if err == nil || !strings.Contains(err.Error(), "has changed while it ran") {
					t.Errorf("%v", err)
				}
				if left := files(t, home); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
			})
		}
	}
}

// TestSmallProgramsAreNotProbed: nor those that are at hand compressed.
func TestSmallProgramsAreNotProbed(t *testing.T) {
	small := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(small, bytes.Repeat([]byte("x"), 4*piece-1), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := fromFile(small)
	if err != nil || p.sample != nil {
		t.Errorf("%+v, %v", p, err)
	}
}
