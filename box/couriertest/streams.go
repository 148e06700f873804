package couriertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// errBroken is known on both sides.
var errBroken = errors.New("broken pipe of the suite")

func init() { //nolint:gochecknoinits // both sides have to know it
	box.RegisterSentinel("couriertest.errBroken", errBroken)
}

var (
	digest    = registry.Register("couriertest.digest", digestOf)
	sip       = registry.Register("couriertest.sip", sipFrom)
	pour      = registry.Register("couriertest.pour", pourInto)
	both      = registry.Register("couriertest.both", func(from io.Reader, to io.Writer) (int64, error) { return io.Copy(to, from) })
	writeOnce = registry.Register("couriertest.writeonce", writeOnceTo)
	shut      = registry.Register("couriertest.shut", shutBoth)
	stream    = registry.Register("couriertest.source", sourceOf)
	missing   = registry.Register("couriertest.missing", missingFrom)
)

func digestOf(r io.Reader) (sum [32]byte, n int64, err error) {
	h := sha256.New()
	n, err = io.Copy(h, r)
	return [32]byte(h.Sum(nil)), n, err
}

// sipFrom reads n bytes and no more.
func sipFrom(r io.Reader, n int) (string, error) {
	if n == 0 {
		return "", nil
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return string(b), err
}

// pourInto writes n bytes, in pieces, until the writer fails.
func pourInto(w io.Writer, n int64) (int64, error) { return io.Copy(w, newPattern(n)) }

// pattern is a reader of bytes that do not repeat soon.
type pattern struct {
	at, size int64
}

func newPattern(n int64) *pattern { return &pattern{size: n} }

func (p *pattern) Read(b []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.size-p.at)]
	for i := range b {
		at := p.at + int64(i)
		b[i] = byte(at ^ at>>8 ^ at>>16)
	}
	p.at += int64(len(b))
	return len(b), nil
}

// streamSize is more than any window.
func streamSize() int64 {
	if testing.Short() {
		return 3<<20 + 7
	}
	return 40<<20 + 7
}

func testReader(t *testing.T, c box.Courier) {
	want, n, err := digestOf(newPattern(streamSize()))
	must(t, err)
	got, m, err := digest.On(c)(newPattern(streamSize()))
	if got != want || m != n || err != nil {
		t.Errorf("of %d bytes %d arrived, %v", n, m, err)
	}
	for _, in := range []string{"", "x", "a\x00b\xff"} {
		want, _, _ := digestOf(strings.NewReader(in))
		if got, n, err := digest.On(c)(strings.NewReader(in)); got != want || int(n) != len(in) || err != nil {
			t.Errorf("%q: %d bytes, %v", in, n, err)
		}
		if got, n, err := digest.On(c)(iotest.OneByteReader(strings.NewReader(in))); got != want || int(n) != len(in) || err != nil {
			t.Errorf("%q byte by byte: %d bytes, %v", in, n, err)
		}
	}
	// What the reader fails with is what the function's Read fails with, after the bytes before it.
	in := io.MultiReader(strings.NewReader("before"), iotest.ErrReader(errBroken))
	if _, n, err := digest.On(c)(in); n != 6 || !errors.Is(err, errBroken) {
		t.Errorf("a reader that fails: %d bytes, %v", n, err)
	}
	// A function that stops reading early ends well, though the reader has more, or nothing more ever comes.
	if got, err := sip.On(c)(newPattern(streamSize()), 3); got != "\x00\x01\x02" || err != nil {
		t.Errorf("the first bytes: %q, %v", got, err)
	}
	quiet, end := io.Pipe()
	defer end.Close()
	go func() { _, _ = io.WriteString(end, "abc") }()
	if got, err := sip.On(c)(quiet, 3); got != "abc" || err != nil {
		t.Errorf("of a reader that then blocks: %q, %v", got, err)
	}
	quiet.Close()
	// A function that does not read leaves the reader alone.
	untouched := &counting{r: strings.NewReader("mine")}
	if _, err := sip.On(c)(untouched, 0); err != nil || untouched.n.Load() != 0 {
		t.Errorf("a function that does not read made %d reads, %v", untouched.n.Load(), err)
	}
}

type counting struct {
	r io.Reader
	n atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) { c.n.Add(1); return c.r.Read(p) }

func testWriter(t *testing.T, c box.Courier) {
	want, _, err := digestOf(newPattern(streamSize()))
	must(t, err)
	h := sha256.New()
	if n, err := pour.On(c)(h, streamSize()); n != streamSize() || err != nil || [32]byte(h.Sum(nil)) != want {
		t.Errorf("%d of %d bytes, %v", n, streamSize(), err)
	}
	// When the call has returned, everything is written.
	for _, n := range []int64{0, 1, 70_000} {
		var b bytes.Buffer
		if m, err := pour.On(c)(&b, n); m != n || int64(b.Len()) != n || err != nil {
			t.Errorf("%d bytes: %d, %d written, %v", n, m, b.Len(), err)
		}
	}
	// What the writer fails with is what the function's Write fails with, not at once but soon.
	if n, err := pour.On(c)(&failing{left: 1000}, streamSize()); !errors.Is(err, errBroken) || n >= streamSize() {
		t.Errorf("a writer that fails: %d bytes, %v", n, err)
	}
	// Nor is it lost when the function writes no more.
	for range 10 { // who is first differs
		failed := make(chan struct{})
		if err := writeOnce.On(c)(&failing{failed: failed}, func() error { <-failed; return nil }); !errors.Is(err, errBroken) {
			t.Fatalf("a writer that fails behind the function: %v", err)
		}
	}
	h.Reset()
	if n, err := both.On(c)(newPattern(streamSize()), h); n != streamSize() || err != nil || [32]byte(h.Sum(nil)) != want {
		t.Errorf("there and back: %d of %d bytes, %v", n, streamSize(), err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			h := sha256.New()
			if n, err := both.On(c)(newPattern(1<<20), h); n != 1<<20 || err != nil {
				t.Errorf("beside others: %d bytes, %v", n, err)
			}
		})
	}
	wg.Wait()
}

// failing takes some bytes and then no more.
type failing struct {
	left   int
	failed chan struct{} // closed when it takes no more; may be nil
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		if f.failed != nil {
			close(f.failed)
			f.failed = nil
		}
		return 0, errBroken
	}
	return len(p), nil
}

// writeOnceTo writes a byte, and ends some time after that.
func writeOnceTo(to io.Writer, later func() error) error {
	if _, err := to.Write([]byte{1}); err != nil {
		return err
	}
	return later()
}

// shutBoth reads all, writes as much, and closes both.
func shutBoth(in io.ReadCloser, out io.WriteCloser) (string, error) {
	b, err := io.ReadAll(in)
	_, failed := io.WriteString(out, "wrote "+string(b))
	return string(b), errors.Join(err, failed, in.Close(), out.Close())
}

func testClosers(t *testing.T, c box.Courier) {
	in := &closing{Reader: strings.NewReader("read")}
	out := &closing{}
	got, err := shut.On(c)(in, out)
	if got != "read" || err != nil || out.b.String() != "wrote read" {
		t.Errorf("%q, %v, wrote %q", got, err, out.b.String())
	}
	if in.closed.Load() != 1 || out.closed.Load() != 1 {
		t.Errorf("the reader was closed %d times, the writer %d times; the function closed each once", in.closed.Load(), out.closed.Load())
	}
	idle := &closing{Reader: strings.NewReader("read")}
	if _, err := digestReadCloser.On(c)(idle); err != nil {
		t.Error(err)
	}
	if idle.closed.Load() != 0 {
		t.Error("a reader that the function did not close is closed")
	}
}

var digestReadCloser = registry.Register("couriertest.leaveopen", func(r io.ReadCloser) (int64, error) { return io.Copy(io.Discard, r) })

// closing counts how often it is closed.
type closing struct {
	io.Reader
	b      bytes.Buffer
	closed atomic.Int64
}

func (c *closing) Write(p []byte) (int, error) { return c.b.Write(p) }
func (c *closing) Close() error                { c.closed.Add(1); return nil }

// sourceOf returns a stream of n bytes that fails at its end, if it shall.
func sourceOf(n int64, fails bool) (io.ReadCloser, error) {
	if n < 0 {
		return nil, os.ErrInvalid
	}
	var r io.Reader = newPattern(n)
	if fails {
		r = io.MultiReader(r, iotest.ErrReader(errBroken))
	}
	return &source{Reader: r}, nil
}

// source cannot be read after Close.
type source struct {
	io.Reader
	closed atomic.Bool
}

func (s *source) Read(p []byte) (int, error) {
	if s.closed.Load() {
		return 0, os.ErrClosed
	}
	return s.Reader.Read(p)
}

func (s *source) Close() error { s.closed.Store(true); return nil }

func testResultStream(t *testing.T, c box.Courier) {
	want, _, err := digestOf(newPattern(streamSize()))
	must(t, err)
	r, err := stream.On(c)(streamSize(), false)
	must(t, err)
	got, n, err := digestOf(r)
	if got != want || n != streamSize() || err != nil {
		t.Errorf("of %d bytes %d arrived, %v", streamSize(), n, err)
	}
	must(t, r.Close())
	must(t, r.Close())
	r, err = stream.On(c)(1000, true)
	must(t, err)
	if _, n, err := digestOf(r); n != 1000 || !errors.Is(err, errBroken) {
		t.Errorf("a source that fails: %d bytes, %v", n, err)
	}
	_ = r.Close() // may say again what failed
	// Closed early, while more is to come.
	for _, taken := range []int{0, 10} {
		r, err = stream.On(c)(streamSize(), false)
		must(t, err)
		if _, err := io.ReadFull(r, make([]byte, taken)); err != nil {
			t.Error(err)
		}
		must(t, r.Close())
		if _, err := r.Read(make([]byte, 1)); err == nil {
			t.Error("a stream that was closed can be read")
		}
	}
	if r, err := stream.On(c)(-1, false); r != nil || !errors.Is(err, os.ErrInvalid) {
		t.Errorf("an error instead of a stream: %v, %v", r, err)
	}
	if got := text.On(c)("on"); got != "on" {
		t.Errorf("after streams: %q", got)
	}
}

// missingFrom names the live arguments that are not nil.
func missingFrom(ctx context.Context, r io.Reader, w io.Writer, in <-chan int, out chan<- int, f func() error) (found []string) {
	for name, there := range map[string]bool{"reader": r != nil, "writer": w != nil, "in": in != nil, "out": out != nil, "callback": f != nil} {
		if there {
			found = append(found, name)
		}
	}
	return found
}

// testNil sends live arguments that are nil: they arrive as nil.
func testNil(t *testing.T, c box.Courier) {
	if found := missing.On(c)(limited(t), nil, nil, nil, nil, nil); len(found) != 0 {
		t.Errorf("nil arguments arrived as something: %v", found)
	}
}
