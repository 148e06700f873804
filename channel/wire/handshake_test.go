package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

func testPreamble() *Preamble {
	return &Preamble{
		Version: Version, Nonce: testNonce, Build: "b1", Registry: "00ff",
		Dir: "/srv/\xff\x00", Umask: new(0), Nice: -5, Env: []string{"A=1", "B=two\nlines", "C="}, Grace: 1500 * time.Millisecond,
		Mode: Text, MaxMessage: 1 << 40,
		Session: true, Concurrent: 32, MaxCalls: 1<<31 - 1, Idle: time.Minute, Lifetime: time.Hour,
		Heartbeat: 500 * time.Millisecond, Descriptors: true,
	}
}

func testHello() *Hello {
	return &Hello{
		Version: Version, Build: "b1", Registry: "00ff", Go: "go1.26", OS: "linux", Arch: "amd64", Host: "web1", PID: 77,
		UID: 33, GID: 1<<32 - 1, Mode: Text, Functions: []string{"chown", "pkg.install"},
		Refusal: "not here:\nno", Code: 77, Descriptors: true,
	}
}

// What a handshake looks like on the wire, to the byte.
func TestGoldenHandshake(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string]func() ([]byte, error){
		"preamble.txt": testPreamble().encode, "hello.txt": testHello().encode,
	} {
		got, err := fields()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(string(want), string(got)))
		}
	}
	p := &Preamble{Nonce: testNonce}
	if text, _ := testPreamble().encode(); p.decode(text) != nil || !cmp.Equal(p, testPreamble()) {
		t.Error(cmp.Diff(testPreamble(), p))
	}
	h := new(Hello)
	if text, _ := testHello().encode(); h.decode(text) != nil || !cmp.Equal(h, testHello()) {
		t.Error(cmp.Diff(testHello(), h))
	}
}

func TestZeroHandshake(t *testing.T) {
	t.Parallel()
	p, h := &Preamble{Nonce: testNonce}, new(Hello)
	pText, _ := p.encode()
	hText, _ := h.encode()
	if err := errors.Join(p.decode(pText), h.decode(hText)); err != nil {
		t.Fatal(err)
	}
	if want := (&Preamble{Version: Version, Nonce: testNonce}); !cmp.Equal(p, want) {
		t.Error(cmp.Diff(want, p))
	}
	if want := (&Hello{Version: Version}); !cmp.Equal(h, want) {
		t.Error(cmp.Diff(want, h))
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, says string }{
		{"version \"1\"\nnew-in-2 \"x\"\nnew-in-2 \"y\"\n", ""},
		{"", `line 1 is ""`},
		{"hello\n", `line 1 is "hello"`},
		{"version \"1\"\n\n", `line 2 is ""`},
		{"version 1\n", `it has the form key "value"`},
		{"version '1'\n", `it has the form key "value"`},
		{"version \"99\"\nother `rules`", `it has the form`},
		{"version \"99\"\npid \"x\"\n", "hello: this program speaks 1, not 99"},
		{"build \"b\"\n", "hello: this program speaks 1, not 0"},
		{"version \"x\"\n", `version "x": not a number from 0 to 2147483647`},
		{"version \"1\"\nversion \"1\"\n", `2 values for "version"`},
		{"version \"1\"\npid \"-1\"\n", `pid "-1": not a number from 0`},
		{"version \"1\"\ncode \"256\"\n", `code "256": not a number from 0 to 255`},
		{"version \"1\"\ndescriptors \"2\"\n", `descriptors "2": not a number from 0 to 1`},
		{"version \"1\"\nmode \"morse\"\n", `mode "morse": neither "text" nor "binary"`},
		{"version \"1\"\nbuild \"" + strings.Repeat("a", 200) + "\nb\"\n", strings.Repeat("a", 60)},
	} {
		err := new(Hello).decode([]byte(c.text))
		if c.says == "" && err == nil {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 300 {
			t.Errorf("%q: %v, want %q", c.text, err, c.says)
		}
	}
}

// meet runs both sides of a handshake; change does to the worker's output what a path does. The worker's end of the
// pipes is closed when it is through.
func meet(t *testing.T, p *Preamble, eightBit bool, noise io.Writer, change func([]byte) []byte) (near, far *Wire, h *Hello) {
	t.Helper()
	farIn, nearOut := io.Pipe()
	nearIn, farOut := io.Pipe()
	t.Cleanup(func() { nearOut.Close(); farOut.Close(); nearIn.Close(); farIn.Close() })
	result := make(chan *Wire, 1)
	go func() {
		defer close(result)
		d, err := Accept(farIn, mangler{farOut, change}, Options{})
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		w, err := d.Admit(&Hello{Build: "b2", PID: 7}, eightBit)
		if err != nil {
			t.Errorf("admit: %v", err)
		}
		result <- w
	}()
	near, h, err := Offer(nearIn, nearOut, p, Options{Noise: noise})
	if err != nil {
		t.Fatalf("offer: %v", err)
	}
	return near, <-result, h
}

type mangler struct {
	w      io.Writer
	change func([]byte) []byte
}

func (m mangler) Write(p []byte) (int, error) {
	if _, err := m.w.Write(m.change(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	same := func(p []byte) []byte { return p }
	replace := func(old, new string) func([]byte) []byte {
		return func(p []byte) []byte { return bytes.ReplaceAll(p, []byte(old), []byte(new)) }
	}
	for _, c := range []struct {
		name     string
		mode     Mode
		eightBit bool
		change   func([]byte) []byte
		text     bool
	}{
		{"clean", Auto, true, same, false},
		{"motd", Auto, true, replace("=====BEGIN HELLO", "Welcome\r\n\x00=====BEGIN HELLO =====BEGIN HELLO"), false},
		{"a terminal", Auto, false, same, true},
		{"text is asked for", Text, true, same, true},
		{"crlf", Auto, true, replace("\n", "\r\n"), true},
		{"crlf on a terminal", Auto, false, replace("\n", "\r\n"), true},
		{"nul is dropped", Auto, true, replace("\x00", ""), true},
		{"7 bits", Auto, true, func(p []byte) []byte {
			p = bytes.Clone(p)
			for i := range p {
				p[i] &= 0x7f
			}
			return p
		}, true},
		{"0xff is doubled", Auto, true, replace("\xff", "\xff\xff"), true},
		{"half of the probe is gone", Auto, true, func(p []byte) []byte {
			if i := bytes.Index(p, probeBytes()[1:]); i >= 0 {
				return append(bytes.Clone(p[:i]), p[i+128:]...)
			}
			return p
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &Preamble{Mode: c.mode, Build: "b1"}
			near, far, h := meet(t, p, c.eightBit, nil, c.change)
			if near.Text() != c.text || far.Text() != c.text {
				t.Fatalf("text: %t and %t, want %t", near.Text(), far.Text(), c.text)
			}
			if h.Build != "b2" || h.PID != 7 || h.Version != Version || p.Nonce == (Nonce{}) {
				t.Errorf("hello %+v, nonce %s", h, p.Nonce)
			}
			talk(t, near, far)
		})
	}
}

// talk sends a message and a frame each way.
func talk(t *testing.T, near, far *Wire) {
	t.Helper()
	segments := [][]byte{random(3), random(100_000)}
	for _, way := range []struct {
		from, to *Wire
		typ      Type
	}{{near, far, Call}, {far, near, Reply}} {
		sent := make(chan error, 1)
		go func() { sent <- way.from.WriteMessage(way.typ, 1, segments) }()
		f, err := way.to.Next()
		if err != nil || f.Type != way.typ || !sameBytes(f.Segments, segments) {
			t.Errorf("%s: %s, %v", way.typ, f.Type, err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
}

func TestHandshakeNoise(t *testing.T) {
	t.Parallel()
	var excess Excess
	motd := "Welcome to \x00 web1\r\n"
	first := true
	near, _, _ := meet(t, &Preamble{}, true, &excess, func(p []byte) []byte {
		defer func() { first = false }()
		if first {
			return append([]byte(motd), bytes.ReplaceAll(p, []byte{7}, []byte{'7'})...)
		}
		return p
	})
	want := motd + strings.ReplaceAll(string(probeBytes()), "\a", "7")
	if !near.Text() || string(excess.Kept) != want {
		t.Errorf("noise %q, want %q", excess.Kept, want)
	}
}

// offer runs the near side against bytes that are ready.
func offer(p *Preamble, answer string) (*Hello, error) {
	w, h, err := Offer(strings.NewReader(answer), io.Discard, p, Options{})
	if w != nil && err != nil {
		return h, fmt.Errorf("a wire came with the error %w", err)
	}
	return h, err
}

func armoured(t testing.TB, label string, text string) string {
	t.Helper()
	var out bytes.Buffer
	if err := armour.Write(&out, label, testNonce, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOfferErrors(t *testing.T) {
	t.Parallel()
	binary := armoured(t, helloLabel, "version \"1\"\nmode \"binary\"\n")
	p := func() *Preamble { return &Preamble{Nonce: testNonce} }
	for _, c := range []struct {
		name     string
		preamble *Preamble
		answer   string
		is       error
		says     string
	}{
		{"silence", p(), "", io.ErrUnexpectedEOF, "hello: the other side ended before it came"},
		{"a shell's error", p(), "sh: app: not found\n", io.ErrUnexpectedEOF, "ended before it came"},
		{"half a hello", p(), binary[:70], io.ErrUnexpectedEOF, "hello: it cannot be read"},
		{"another nonce", &Preamble{Nonce: Nonce{1}}, binary, io.ErrUnexpectedEOF, "ended before it came"},
		{"armour 99", p(), strings.Replace(binary, " 1 ", " 99 ", 1), armour.ErrVersion, "speaks 1, not 99"},
		{"changed", p(), strings.Replace(binary, "AAAA", "AAAB", 1), nil, "hello: it cannot be read"},
		{"nonsense", p(), armoured(t, helloLabel, "good morning"), nil, `line 1 is "good morning"`},
		{"no probe", p(), binary, io.ErrUnexpectedEOF, "ended within the probe"},
		{"half a probe", p(), binary + string(probe(testNonce)[:270]), io.ErrUnexpectedEOF, "ended within the probe"},
		{"no end of the probe", p(), binary + strings.Repeat("\n", 1<<20), errTooMuch, "the probe that follows it"},
		{"too long", p(), armoured(t, helloLabel, strings.Repeat("a", maxHandshake+1)), ErrLimit, "1114113 bytes, more than the limit of 1114112"},
		{"preamble too long", &Preamble{Env: []string{strings.Repeat("a", maxHandshake)}}, "", ErrLimit, "preamble: it takes"},
		{"mode", &Preamble{Mode: Binary}, "", nil, `preamble: mode "binary"`},
		{"nonce", &Preamble{Nonce: armour.Any}, "", nil, "is reserved"},
	} {
		h, err := offer(c.preamble, c.answer)
		if e := (*HandshakeError)(nil); !errors.As(err, &e) || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if strings.Contains(c.name, "probe") != (h != nil) {
			t.Errorf("%s: hello %v", c.name, h)
		}
	}
	_, err := offer(p(), armoured(t, helloLabel, "version \"99\"\n"))
	if e := (*VersionError)(nil); !errors.As(err, &e) || e.Got != 99 {
		t.Errorf("version 99: %v", err)
	}
}

func TestOfferToClosedPipe(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	r.Close()
	_, _, err := Offer(strings.NewReader(armoured(t, helloLabel, "version \"1\"\n")), w, &Preamble{Nonce: testNonce}, Options{})
	if !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), "preamble: it cannot be sent") {
		t.Error(err)
	}
}

func TestAcceptErrors(t *testing.T) {
	t.Parallel()
	good := armoured(t, preambleLabel, "version \"1\"\n")
	for _, c := range []struct {
		name, input string
		door        bool
		says        string
	}{
		{"nothing", "", false, "EOF"},
		{"noise", "hello?\n", false, "EOF"},
		{"cut", good[:70], true, "preamble: it cannot be read"},
		{"changed", strings.Replace(good, "AAAA", "AAAB", 1), true, "preamble: it cannot be read"},
		{"armour 99", strings.Replace(good, " 1 ", " 99 ", 1), true, "speaks 1, not 99"},
		{"version 99", armoured(t, preambleLabel, "version \"99\"\n"), true, "speaks 1, not 99"},
		{"umask", armoured(t, preambleLabel, "version \"1\"\numask \"512\"\n"), true, `umask "512": not a number from 0 to 511`},
		{"grace", armoured(t, preambleLabel, "version \"1\"\ngrace \"-1\"\n"), true, `grace "-1"`},
		{"session", armoured(t, preambleLabel, "version \"1\"\nsession \"2\"\n"), true, `session "2": not a number from 0 to 1`},
		{"concurrent", armoured(t, preambleLabel, "version \"1\"\nconcurrent \"2147483648\"\n"), true, `concurrent "2147483648"`},
		{"max-calls", armoured(t, preambleLabel, "version \"1\"\nmax-calls \"-1\"\n"), true, `max-calls "-1"`},
		{"idle", armoured(t, preambleLabel, "version \"1\"\nidle \"9223372036854775808\"\n"), true, `idle "9223372036854775808"`},
		{"lifetime", armoured(t, preambleLabel, "version \"1\"\nlifetime \"1h\"\n"), true, `lifetime "1h"`},
		{"heartbeat", armoured(t, preambleLabel, "version \"1\"\nheartbeat \"1\"\n"), true, `heartbeat "1": not a number from 10000000`},
		{"descriptors", armoured(t, preambleLabel, "version \"1\"\ndescriptors \"yes\"\n"), true, `descriptors "yes"`},
	} {
		var out bytes.Buffer
		d, err := Accept(strings.NewReader(c.input), &out, Options{})
		if err == nil || !strings.Contains(err.Error(), c.says) || (d != nil) != c.door {
			t.Errorf("%s: door %t, %v", c.name, d != nil, err)
		}
		if d == nil {
			continue
		}
		// A worker that cannot use the preamble can still say so, and the caller hears it.
		if err := d.Refuse(&Hello{Refusal: err.Error(), Code: 76}); err != nil {
			t.Errorf("%s: refuse: %v", c.name, err)
		}
		h, refused := offer(&Preamble{Nonce: testNonce}, out.String())
		e := (*RefusedError)(nil)
		if !errors.As(refused, &e) || e.Code != 76 || e.Why != err.Error() || h == nil || h.Refusal != e.Why {
			t.Errorf("%s: the caller hears %v", c.name, refused)
		}
	}
}

func TestAdmitErrors(t *testing.T) {
	t.Parallel()
	good := armoured(t, preambleLabel, "version \"1\"\n")
	for _, c := range []struct {
		name, choice string
		hello        Hello
		says         string
	}{
		{"the caller goes", "", Hello{}, "choice: the caller went away"},
		{"half a choice", string(choice(Text, testNonce))[:20], Hello{}, "choice: the caller went away"},
		{"another call's choice", string(choice(Text, Nonce{1})), Hello{}, "choice: the caller went away"},
		{"not offered", string(choice(Binary, testNonce)), Hello{}, "which was not offered"},
		{"too much", strings.Repeat("x\n", 1<<20), Hello{}, "more than 64 KiB came instead"},
		{"a refusal", "", Hello{Refusal: "no"}, "use Refuse"},
		{"hello too long", "", Hello{Build: strings.Repeat("a", maxHandshake)}, "hello: it takes"},
	} {
		d, err := Accept(strings.NewReader(good+c.choice), io.Discard, Options{})
		if err != nil {
			t.Fatal(err)
		}
		w, err := d.Admit(&c.hello, false)
		if e := (*HandshakeError)(nil); w != nil || !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	d, err := Accept(strings.NewReader(good), io.Discard, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Refuse(&Hello{}); err == nil {
		t.Error("a refusal without a reason was sent")
	}
}

// Nothing beyond the preamble is consumed before the worker admits the caller, and the choice may come in noise.
func TestChoiceInNoise(t *testing.T) {
	t.Parallel()
	var frames bytes.Buffer
	if err := NewBinary(nil, &frames, Options{}).WriteFrame(Cancel, 0, 1); err != nil {
		t.Fatal(err)
	}
	var excess Excess
	input := armoured(t, preambleLabel, "version \"1\"\n") + "noise\nmore " + string(choice(Binary, testNonce)) + frames.String()
	d, err := Accept(strings.NewReader(input), io.Discard, Options{Noise: &excess})
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.Admit(&Hello{}, true)
	if err != nil || w.Text() {
		t.Fatal(err)
	}
	if f, err := w.Next(); f.Type != Cancel || err != nil {
		t.Errorf("%v, %v", f, err)
	}
	if string(excess.Kept) != "noise\nmore " {
		t.Errorf("noise %q", excess.Kept)
	}
}
