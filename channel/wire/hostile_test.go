package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// check fails unless err is what a wire may return.
func check(t *testing.T, err error) {
	t.Helper()
	if e := (*FrameError)(nil); err != io.EOF && !errors.As(err, &e) {
		t.Errorf("a %T: %v", err, err)
	}
}

func TestBinaryBitFlips(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	exchange(t, NewBinary(nil, &out, Options{}))
	for bit := range out.Len() * 8 {
		data := bytes.Clone(out.Bytes())
		data[bit/8] ^= 1 << (bit % 8)
		got, err := readAll(NewBinary(bytes.NewReader(data), nil, Options{}))
		check(t, err)
		if err == io.EOF {
			t.Fatalf("bit %d: not detected, got %v", bit, got)
		}
		if len(got) > 0 && !cmp.Equal(got, exchanged[:len(got)]) {
			t.Fatalf("bit %d: got %v", bit, got)
		}
	}
}

// A flip in the text form may make noise of a frame. It is detected, but for the last frame, after which none is missed.
func TestTextBitFlips(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := NewText(nil, &out, testNonce, Worker, Options{})
	if err := errors.Join(w.WriteFrame(Started, 0, 1, []byte("hi")), w.WriteFrame(Reply, End, 1, table()), w.WriteFrame(Close, End, 0)); err != nil {
		t.Fatal(err)
	}
	want, _ := readAll(NewText(bytes.NewReader(out.Bytes()), nil, testNonce, Caller, Options{}))
	for bit := range out.Len() * 8 {
		data := bytes.Clone(out.Bytes())
		data[bit/8] ^= 1 << (bit % 8)
		got, err := readAll(NewText(bytes.NewReader(data), nil, testNonce, Caller, Options{}))
		check(t, err)
		if len(got) > 0 && !cmp.Equal(got, want[:len(got)]) {
			t.Fatalf("bit %d: got %v", bit, got)
		}
		if err == io.EOF && len(got) < len(want)-1 {
			t.Fatalf("bit %d: not detected, got %d frames", bit, len(got))
		}
	}
}

// A stream that is cut anywhere ends with an error, or with io.EOF between two frames.
func TestCut(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, write func(io.Writer) *Wire, read func(io.Reader) *Wire) {
		var out bytes.Buffer
		w := write(&out)
		ends := map[int]bool{0: true}
		for i, step := range []func() error{
			func() error { return w.WriteFrame(Started, 0, 1, []byte("hello")) },
			func() error { return w.WriteMessage(Reply, 1, [][]byte{[]byte("one"), []byte("two")}) },
			func() error { return w.WriteFrame(Close, End, 0) },
		} {
			if err := step(); err != nil {
				t.Fatal(i, err)
			}
			ends[out.Len()] = true
		}
		for n := range out.Len() + 1 {
			in := read(bytes.NewReader(out.Bytes()[:n]))
			got, err := readAll(in)
			check(t, err)
			// In the text form a begin marker that is not complete is noise, and an end marker needs no newline.
			if clean := err == io.EOF; !in.Text() && clean != ends[n] {
				t.Errorf("cut at %d of %d: %d frames, %v", n, out.Len(), len(got), err)
			} else if !clean && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("cut at %d: %v", n, err)
			}
			if _, again := in.Next(); again != err {
				t.Errorf("cut at %d: %v, and then %v", n, err, again)
			}
		}
	})
}

func frame(t Type, flags Flags, stream uint32, payload []byte) []byte {
	h := newHeader(t, flags, stream, [][]byte{payload})
	return append(h[:], payload...)
}

func table(sizes ...uint64) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(sizes)))
	for _, n := range sizes {
		out = binary.BigEndian.AppendUint64(out, n)
	}
	return out
}

func TestForged(t *testing.T) {
	t.Parallel()
	limits := Limits{Message: 1000, Segments: 3}
	long := frame(Started, 0, 1, nil)
	binary.BigEndian.PutUint32(long[8:], MaxPayload+1)
	for _, c := range []struct {
		name string
		is   error
		says string
		data [][]byte
	}{
		{"long frame", ErrLimit, "1048577 bytes, more than the limit of 1048576", [][]byte{long}},
		{"reserved", ErrMangled, "0x0102, not zero", [][]byte{{1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
		{"empty table", ErrProtocol, "want 4", [][]byte{frame(Call, 0, 1, []byte{1, 2})}},
		{"short table", ErrProtocol, "got 12 bytes, want 20 for 2", [][]byte{frame(Call, 0, 1, table(1, 2)[:12])}},
		{"many segments", ErrLimit, "4 segments, more than the limit of 3", [][]byte{frame(Call, 0, 1, table(1, 2, 3, 4))}},
		{"2^32-1 segments", ErrLimit, "4294967295 segments", [][]byte{frame(Call, 0, 1, []byte{255, 255, 255, 255})}},
		{"long segment", ErrLimit, "segment 0 of 1001 bytes makes it longer than the limit of 1000", [][]byte{frame(Call, 0, 1, table(1001))}},
		{"long sum", ErrLimit, "segment 1 of 501 bytes", [][]byte{frame(Call, 0, 1, table(500, 501))}},
		{"overflow", ErrLimit, "segment 1 of 18446744073709551615 bytes", [][]byte{frame(Call, 0, 1, table(1, 1<<64-1))}},
		{"end too early", ErrProtocol, "brings 0 of 5 bytes, and its end flag is true", [][]byte{frame(Call, End, 1, table(5))}},
		{"no end", ErrProtocol, "brings 0 of 0 bytes, and its end flag is false", [][]byte{frame(Call, 0, 1, table(0))}},
		{"twice", ErrProtocol, "is not complete", [][]byte{frame(Call, 0, 1, table(5)), frame(Reply, 0, 1, table(5))}},
		{"too much at once", ErrProtocol, "brings 6 bytes where it announces 5", [][]byte{frame(Call, End, 1, append(table(5), make([]byte, 6)...))}},
		{"too much", ErrProtocol, "brings 6 bytes where 5 are to come",
			[][]byte{frame(Call, 0, 1, table(5)), frame(Data, End, 1, make([]byte, 6))}},
		{"end in the middle", ErrProtocol, "brings 4 of the last 5 bytes, and its end flag is true",
			[][]byte{frame(Call, 0, 1, table(5)), frame(Data, End, 1, make([]byte, 4))}},
		{"no end at the end", ErrProtocol, "brings 5 of the last 5 bytes, and its end flag is false",
			[][]byte{frame(Call, 0, 1, table(5)), frame(Data, 0, 1, make([]byte, 5))}},
		{"ends within", io.ErrUnexpectedEOF, "within a message", [][]byte{frame(Call, 0, 1, table(5)), frame(Close, End, 0, nil)}},
	} {
		_, err := readAll(NewBinary(bytes.NewReader(bytes.Join(c.data, nil)), nil, Options{Limits: limits}))
		check(t, err)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// All messages that are incomplete count against the limit, with what they cost besides their bytes.
func TestManyIncompleteMessages(t *testing.T) {
	t.Parallel()
	var data []byte
	for stream := range uint32(40) {
		data = append(data, frame(Call, 0, stream, table(append(make([]uint64, 1000), 1)...))...)
	}
	_, err := readAll(NewBinary(bytes.NewReader(data), nil, Options{Limits: Limits{Message: 1000}}))
	if !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "may come already; the limit is 1000") {
		t.Error(err)
	}
}

// An announced length takes no memory until bytes come, and then a part at most.
func TestAnnouncedMemory(t *testing.T) {
	data := append(frame(Call, 0, 1, table(1<<40, 1<<40)), frame(Data, 0, 1, make([]byte, 100))...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readAll(NewBinary(bytes.NewReader(data), nil, Options{Limits: Limits{Message: 1 << 50}}))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > upFront+1<<20 {
		t.Errorf("%d MB were allocated", grown>>20)
	}
}

// A segment over 64 MiB grows with its bytes, and arrives whole.
func TestSegmentBeyondUpFront(t *testing.T) {
	if testing.Short() {
		t.Skip("140 MB")
	}
	r, w := io.Pipe()
	sent := random(upFront + 5*MaxPayload + 1)
	go func() {
		defer w.Close()
		if err := NewBinary(nil, w, Options{}).WriteMessage(Reply, 1, [][]byte{sent}); err != nil {
			t.Error(err)
		}
	}()
	got, err := readAll(NewBinary(r, nil, Options{}))
	if err != io.EOF || !bytes.Equal(got[0].Segments[0], sent) {
		t.Error(err)
	}
}

func FuzzFrame(f *testing.F) {
	for _, fr := range [][]byte{
		frame(Started, 0, 1, []byte("hello")), frame(Call, 0, 1, table(5, 0)), frame(Data, End, 1, []byte("hello")),
		append(frame(Call, 0, 1, table(5)), frame(Data, End, 1, []byte("hello"))...), frame(Call, End, 1, table()),
	} {
		f.Add(fr)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frames, err := readAll(NewBinary(bytes.NewReader(sealed(data)), nil, Options{Limits: Limits{Message: 1 << 20}}))
		check(t, err)
		for _, fr := range frames {
			if size(fr.Segments) > 1<<20 || len(fr.Payload) > MaxPayload {
				t.Fatalf("%s of %d and %d bytes", fr.Type, size(fr.Segments), len(fr.Payload))
			}
		}
	})
}

// sealed puts the right checksums into data, so that a fuzzer comes further than the first of them.
func sealed(data []byte) []byte {
	data = bytes.Clone(data)
	for rest := data; len(rest) >= HeaderSize; {
		h := Header(rest)
		n := HeaderSize + int(h.Length())
		if h.Length() > MaxPayload || n > len(rest) {
			break
		}
		good := newHeader(h.Type(), h.Flags(), h.Stream(), [][]byte{rest[HeaderSize:n]})
		copy(rest[summed:], good[summed:HeaderSize])
		rest = rest[n:]
	}
	return data
}

func FuzzText(f *testing.F) {
	var out bytes.Buffer
	w := NewText(nil, &out, testNonce, Worker, Options{})
	if err := errors.Join(w.WriteFrame(Started, 0, 1, []byte("hi")), w.WriteMessage(Reply, 1, [][]byte{{1}})); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Add(bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte("\r\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		var excess Excess
		_, err := readAll(NewText(bytes.NewReader(data), nil, testNonce, Caller, Options{Noise: &excess}))
		check(t, err)
		if len(excess.Kept) > len(data) {
			t.Fatalf("%d bytes of noise in %d", len(excess.Kept), len(data))
		}
	})
}
