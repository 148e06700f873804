package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzHello(f *testing.F) {
	for _, fields := range []func() ([]byte, error){testHello().encode, testPreamble().encode} {
		text, err := fields()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("version \"1\"\nmode \"binary\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, p := new(Hello), &Preamble{Nonce: testNonce}
		if h.decode(text) == nil {
			again := new(Hello)
			if text, err := h.encode(); err != nil || again.decode(text) != nil || !cmp.Equal(h, again) {
				t.Fatalf("%v\n%s", err, cmp.Diff(h, again))
			}
		}
		if p.decode(text) == nil {
			again := &Preamble{Nonce: testNonce}
			if text, err := p.encode(); err != nil || again.decode(text) != nil || !cmp.Equal(p, again) {
				t.Fatalf("%v\n%s", err, cmp.Diff(p, again))
			}
		}
	})
}

// FuzzHandshake gives both sides anything that may follow the right beginning.
func FuzzHandshake(f *testing.F) {
	hello := armoured(f, helloLabel, "version \"1\"\nmode \"binary\"\n")
	f.Add([]byte(hello + string(probe(testNonce))))
	f.Add([]byte(armoured(f, preambleLabel, "version \"1\"\n") + string(choice(Text, testNonce))))
	f.Fuzz(func(t *testing.T, data []byte) {
		if w, h, err := Offer(bytes.NewReader(data), io.Discard, &Preamble{Nonce: testNonce}, Options{}); err == nil && (w == nil || h == nil) {
			t.Fatal("neither a wire nor an error")
		}
		d, err := Accept(bytes.NewReader(data), io.Discard, Options{})
		if err == nil {
			_, err = d.Admit(&Hello{}, true)
		}
		if h, v := (*HandshakeError)(nil), (*VersionError)(nil); err != nil && err != io.EOF && !errors.As(err, &h) && !errors.As(err, &v) {
			t.Fatalf("a %T: %v", err, err)
		}
	})
}
