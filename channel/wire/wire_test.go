package wire

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write testdata anew: a change of format")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testNonce = Nonce{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

func random(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(p)
	return p
}

// forms are the two forms of a wire, to read from r as the caller and to write to w as the worker.
var forms = map[string]func(r io.Reader, w io.Writer, side Side, o Options) *Wire{
	"binary": func(r io.Reader, w io.Writer, _ Side, o Options) *Wire { return NewBinary(r, w, o) },
	"text": func(r io.Reader, w io.Writer, side Side, o Options) *Wire {
		return NewText(r, w, testNonce, side, o)
	},
}

func eachForm(t *testing.T, f func(t *testing.T, write func(w io.Writer) *Wire, read func(r io.Reader) *Wire)) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			f(t, func(w io.Writer) *Wire { return form(strings.NewReader(""), w, Worker, Options{}) },
				func(r io.Reader) *Wire { return form(r, io.Discard, Caller, Options{}) })
		})
	}
}

// exchange writes a bit of everything.
func exchange(t testing.TB, w *Wire) {
	t.Helper()
	for _, err := range []error{
		w.WriteFrame(Started, 0, 1),
		w.WriteFrame(Started, 0, 1, []byte("hel"), nil, []byte("lo\n")),
		w.WriteFrame(Cancel, End, 1, []byte{0, 0xff}),
		w.WriteMessage(Reply, 1, [][]byte{[]byte("head"), {}, []byte("bulk")}),
		w.WriteMessage(Call, 2, [][]byte{{}, {}}),
		w.WriteMessage(Call, 0xffffffff, nil),
		w.WriteFrame(Type(200), Flags(0x82), 7, []byte("from the future")),
		w.WriteFrame(Close, End, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

var exchanged = []Frame{
	{Type: Started, Stream: 1, Payload: []byte{}},
	{Type: Started, Stream: 1, Payload: []byte("hello\n")},
	{Type: Cancel, Flags: End, Stream: 1, Payload: []byte{0, 0xff}},
	{Type: Reply, Flags: End, Stream: 1, Segments: [][]byte{[]byte("head"), {}, []byte("bulk")}},
	{Type: Call, Flags: End, Stream: 2, Segments: [][]byte{{}, {}}},
	{Type: Call, Flags: End, Stream: 0xffffffff, Segments: [][]byte{}},
	{Type: 200, Flags: 0x82, Stream: 7, Payload: []byte("from the future")},
	{Type: Close, Flags: End, Stream: 0, Payload: []byte{}},
}

// readAll reads to the end; payloads are copied.
func readAll(w *Wire) (frames []Frame, err error) {
	for {
		f, err := w.Next()
		if err != nil {
			return frames, err
		}
		if f.Segments == nil {
			f.Payload = append([]byte{}, f.Payload...)
		}
		frames = append(frames, f)
	}
}

func sameBytes(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// The bytes of a wire are the contract of SPEC.md.
func TestGoldenWire(t *testing.T) {
	eachForm(t, func(t *testing.T, write func(io.Writer) *Wire, read func(io.Reader) *Wire) {
		var out bytes.Buffer
		exchange(t, write(&out))
		path := filepath.Join("testdata", filepath.Base(t.Name())+".wire")
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("got\n%q\nwant\n%q", out.Bytes(), want)
		}
		got, err := readAll(read(iotest.OneByteReader(bytes.NewReader(want))))
		if err != io.EOF || !cmp.Equal(got, exchanged) {
			t.Errorf("%v\n%s", err, cmp.Diff(exchanged, got))
		}
	})
}

func TestHeader(t *testing.T) {
	t.Parallel()
	h := newHeader(Reply, End, 0x01020304, [][]byte{[]byte("ab"), []byte("c")})
	want := Header{2, 1, 0, 0, 1, 2, 3, 4, 0, 0, 0, 3}
	copy(want[12:], h[12:])
	if h != want || h.Type() != Reply || h.Flags() != End || h.Stream() != 0x01020304 || h.Length() != 3 || h.Reserved() != 0 {
		t.Errorf("% x", h)
	}
	for typ, name := range map[Type]string{Call: "call", Close: "close", 0: "type 0", 77: "type 77"} {
		if typ.String() != name {
			t.Errorf("%d is %s, want %s", typ, typ, name)
		}
	}
}

func TestMessageSizes(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, write func(io.Writer) *Wire, read func(io.Reader) *Wire) {
		for _, sizes := range [][]int{
			{1}, {0, 1, 0}, {MaxPayload}, {MaxPayload - 1, 2, MaxPayload}, {0, 3*MaxPayload + 7}, {1000, 2000, 70_000, 0, 9},
		} {
			var segments [][]byte
			for _, n := range sizes {
				segments = append(segments, random(n))
			}
			var out bytes.Buffer
			if err := write(&out).WriteMessage(Call, 3, segments); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(read(&out))
			if err != io.EOF || len(got) != 1 || !sameBytes(got[0].Segments, segments) {
				t.Errorf("%v: %d frames, %v", sizes, len(got), err)
			}
		}
	})
}

func TestManySegments(t *testing.T) {
	t.Parallel()
	segments := make([][]byte, DefaultSegments)
	for i := range segments {
		segments[i] = random(i % 5)
	}
	var out bytes.Buffer
	if err := NewBinary(nil, &out, Options{}).WriteMessage(Call, 1, segments); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(NewBinary(&out, nil, Options{})); err != io.EOF || !sameBytes(got[0].Segments, segments) {
		t.Error(err)
	}
}

// Frames written by others stand between the frames of a message, and each stream keeps its order.
func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, write func(io.Writer) *Wire, read func(io.Reader) *Wire) {
		r, w := io.Pipe()
		out := write(w)
		var writers sync.WaitGroup
		segments := [][]byte{random(10), random(3*MaxPayload + 3), random(0)}
		for stream := range uint32(4) {
			writers.Go(func() {
				if err := out.WriteMessage(Reply, stream+1, segments); err != nil {
					t.Error(err)
				}
			})
			writers.Go(func() {
				for i := range 50 {
					if err := out.WriteFrame(Started, 0, stream+1, fmt.Append(nil, i), random(i*100)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() { writers.Wait(); w.Close() }()
		printed, replies := map[uint32]int{}, 0
		for in := read(r); ; {
			f, err := in.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch i := printed[f.Stream]; f.Type {
			case Started:
				if want := append(fmt.Append(nil, i), random(i*100)...); !bytes.Equal(f.Payload, want) {
					t.Fatalf("stream %d: frame %d differs", f.Stream, i)
				}
				printed[f.Stream]++
			case Reply:
				if replies++; !sameBytes(f.Segments, segments) {
					t.Fatalf("stream %d: the reply differs", f.Stream)
				}
			}
		}
		if replies != 4 || !cmp.Equal(printed, map[uint32]int{1: 50, 2: 50, 3: 50, 4: 50}) {
			t.Errorf("%d replies, printed %v", replies, printed)
		}
	})
}

// Text frames survive a terminal and what others print there.
func TestTextInNoise(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	exchange(t, NewText(nil, &out, testNonce, Worker, Options{}))
	text := out.String()
	noise := "wall: going down\nAAAA\n=====BEGIN WORKER FRAME 1 welcome=====\n\x00\xff"
	for name, s := range map[string]string{
		"crlf":           strings.ReplaceAll(text, "\n", "\r\n"),
		"noise between":  strings.ReplaceAll(text, "=====BEGIN", noise+"=====BEGIN"),
		"noise in lines": strings.ReplaceAll(text, "\n", "\n+ set -x \n"),
		"echo":           strings.ReplaceAll(text, "WORKER", "CALLER") + text,
		"another nonce":  strings.ReplaceAll(text, "00010203", "ffffffff") + text,
	} {
		var excess Excess
		got, err := readAll(NewText(strings.NewReader(s), nil, testNonce, Caller, Options{Noise: &excess}))
		if err != io.EOF || !cmp.Equal(got, exchanged) {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(exchanged, got))
		}
		if name == "noise between" && string(excess.Kept) != strings.Repeat(noise, strings.Count(text, "BEGIN")) {
			t.Errorf("noise is %q", excess.Kept)
		}
	}
}

// A frame whose block was destroyed is noise; the next one shows that it is missing.
func TestTextMissingFrame(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	exchange(t, NewText(nil, &out, testNonce, Worker, Options{}))
	for _, old := range []string{"BEGIN WORKER", "END WORKER"} {
		s := strings.Replace(out.String(), old, "E\nwall: hi\nD", 1)
		_, err := readAll(NewText(strings.NewReader(s), nil, testNonce, Caller, Options{}))
		if e := (*FrameError)(nil); !errors.As(err, &e) || !errors.Is(err, ErrMangled) || !strings.Contains(err.Error(), "got frame 1, want 0") {
			t.Errorf("%s: %v", old, err)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, write func(io.Writer) *Wire, _ func(io.Reader) *Wire) {
		var out bytes.Buffer
		w := write(&out)
		for says, err := range map[string]error{
			"its payload is 1048577 bytes, more than the limit of 1048576": w.WriteFrame(Started, 0, 1, make([]byte, MaxPayload), []byte{1}),
			"a message of 4097 segments":                                   w.WriteMessage(Call, 1, make([][]byte, 4097)),
			"a message of 0 segments; it is a call, reply or callback":     w.WriteMessage(Started, 1, nil),
		} {
			if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), says) {
				t.Errorf("%v", err)
			}
		}
		if out.Len() > 0 {
			t.Errorf("%d bytes were written", out.Len())
		}
		r, pw := io.Pipe()
		r.Close()
		broken := write(pw)
		for _, err := range []error{
			broken.WriteFrame(Started, 0, 1, random(100)),
			broken.WriteFrame(Started, 0, 1, random(MaxPayload)),
			broken.WriteMessage(Call, 1, [][]byte{random(MaxPayload)}),
			broken.WriteMessage(Call, 1, nil),
		} {
			if e := (*FrameError)(nil); !errors.As(err, &e) || !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%v", err)
			}
		}
	})
}

// A wire goes on in the buffer of the reader that the handshake used.
func TestWireKeepsReader(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	exchange(t, NewBinary(nil, &out, Options{}))
	br := bufio.NewReaderSize(&out, 64<<10)
	if _, err := br.Peek(100); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(NewBinary(br, nil, Options{})); err != io.EOF || !cmp.Equal(got, exchanged) {
		t.Errorf("%v", err)
	}
}
