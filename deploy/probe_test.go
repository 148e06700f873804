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
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			f := farIn(t, shell, home)
			f.now = quickWay()
			f.change = strings.NewReplacer(`[ "$r" = "$d" ] || fail "the program does not start`, `false || fail "the program does not start`)
			r, _, _, err := f.call(t, Options{})
			me, _ := own()
			if e, ok := err.(*Error); !ok || len(e.Tried) < 2 || r.Sent <= me.size || (r.Sent-piece)%me.size != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
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
