package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
)

var (
	install = registry.Register("install", installFile)
	spout   = registry.Register("spout", spoutOut)
	pump    = registry.Register("pump", func(w io.Writer, n int64) (int64, error) { return io.Copy(w, newPattern(n)) })
)

// growth is how much the memory of one side may grow, whatever the volume: R8 and R9.
const growth = 32 << 20

// Volume is what a function on the far side saw.
type Volume struct {
	Bytes  int64
	Sum    [32]byte
	UID    uint32
	Before Memory
	After  Memory
}

// installFile writes a stream into a file that belongs to root, and reads it back.
func installFile(name string, from io.Reader) (v Volume, err error) {
	if v.Before, err = startPeak(); err != nil {
		return v, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(name)) }()
	if v.Bytes, err = io.Copy(f, from); err != nil {
		return v, err
	}
	if v.After, err = memory(); err != nil {
		return v, err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return v, err
	}
	h := sha256.New()
	if _, err = io.Copy(h, f); err != nil {
		return v, err
	}
	v.Sum = [32]byte(h.Sum(nil))
	return v, nil
}

// spoutOut writes n bytes to the call's stdout, or to the process's own.
func spoutOut(ctx context.Context, n int64, own bool) (v Volume, err error) {
	if v.Before, err = startPeak(); err != nil {
		return v, err
	}
	var out io.Writer = os.Stdout
	if !own {
		out = box.Stdout(ctx)
	}
	h := sha256.New()
	if v.Bytes, err = io.Copy(io.MultiWriter(out, h), newPattern(n)); err != nil {
		return v, err
	}
	v.Sum = [32]byte(h.Sum(nil))
	v.After, err = memory()
	return v, err
}

// pattern is a reader of n bytes that repeat late: what comes twice or not at all changes the digest.
type pattern struct {
	block    [64 << 10]byte
	at, size int64
}

func newPattern(n int64) *pattern {
	p := &pattern{size: n}
	for i := range p.block {
		p.block[i] = byte(i ^ i>>8*31)
	}
	return p
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	inside := p.at % int64(len(p.block))
	if inside == 0 {
		for i := range 8 {
			p.block[i] = byte(p.at >> (8 * i))
		}
	}
	n := copy(b, p.block[inside:inside+min(p.size-p.at, int64(len(p.block))-inside)])
	p.at += int64(n)
	return n, nil
}

func sumOf(n int64) [32]byte {
	h := sha256.New()
	_, _ = io.Copy(h, newPattern(n))
	return [32]byte(h.Sum(nil))
}

// grown fails the test if one side's memory grew by more than it may; with the race detector it only says so.
func grown(t *testing.T, who string, before, after Memory) {
	t.Helper()
	more := after.Peak - before.Now
	t.Logf("%s: %s, grew by %s", who, mib(before.Now), mib(more))
	if more > growth && !raced {
		t.Errorf("the memory of the %s grew by %s; the limit is %s", who, mib(more), mib(growth))
	}
}

func volume() int64 { return sized[int64](128<<20, 1<<30) + 12345 }

// TestVolumeIn copies a stream of the caller's into a file that belongs to root.
func TestVolumeIn(t *testing.T) {
	st.NeedSudo(t)
	tg := targetNamed("sudo")
	want := sumOf(volume())
	for name, c := range map[string]box.Courier{"session": sudoSession(t, session.Options{}), "once": delivery.Once{Via: tg.via, Stderr: &races}} {
		before, err := startPeak()
		must(t, err)
		begin := time.Now()
		v, err := install.On(c)("/root/volume", newPattern(volume()))
		took := time.Since(begin)
		must(t, err)
		after, err := memory()
		must(t, err)
		if v.Bytes != volume() || v.Sum != want {
			t.Errorf("%s: %d of %d bytes arrived, or not the same", name, v.Bytes, volume())
		}
		t.Logf("%s: %s in %s", name, mib(v.Bytes), took)
		grown(t, "caller", before, after)
		grown(t, "worker", v.Before, v.After)
	}
}

// meter digests and counts what it gets.
type meter struct {
	h hash.Hash
	n atomic.Int64
}

func newMeter() *meter { return &meter{h: sha256.New()} }

func (m *meter) Write(p []byte) (int, error) {
	m.n.Add(int64(len(p)))
	return m.h.Write(p)
}

func (m *meter) sum() [32]byte { return [32]byte(m.h.Sum(nil)) }

// TestVolumeOut brings the same number of bytes back as output: by the context's writer, and by the process's stdout.
func TestVolumeOut(t *testing.T) {
	st.NeedSudo(t)
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprintf("own %v", own), func(t *testing.T) {
			s := sudoSession(t, session.Options{})
			out := newMeter()
			before, err := startPeak()
			must(t, err)
			begin := time.Now()
			v, err := spout.On(s)(box.WithOutput(limited(t), out, &races), volume(), own)
			took := time.Since(begin)
			must(t, err)
			after, err := memory()
			must(t, err)
			if out.n.Load() != v.Bytes || out.sum() != v.Sum || v.Sum != sumOf(volume()) {
				t.Errorf("%d of %d bytes came when the call returned, or not the same", out.n.Load(), v.Bytes)
			}
			t.Logf("%s in %s", mib(v.Bytes), took)
			grown(t, "caller", before, after)
			grown(t, "worker", v.Before, v.After)
		})
	}
}

// stopping takes some bytes and then blocks until it is released.
type stopping struct {
	left    int
	stopped chan struct{}
	release chan struct{}
	n       int64
}

func (s *stopping) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 && s.stopped != nil {
		close(s.stopped)
		s.stopped = nil
		<-s.release
	}
	s.n += int64(len(p))
	return len(p), nil
}

// TestAReaderThatStops holds back the writer of its own stream, and nothing else in the session.
func TestAReaderThatStops(t *testing.T) {
	st.NeedSudo(t)
	const size = 8 << 20
	for what, start := range map[string]func(s *session.Session, w io.Writer) (int64, error){
		"writer": func(s *session.Session, w io.Writer) (int64, error) { return pump.On(s)(w, size) },
		"output": func(s *session.Session, w io.Writer) (int64, error) {
			v, err := spout.On(s)(box.WithOutput(context.Background(), w, io.Discard), size, false)
			return v.Bytes, err
		},
		"own stdout": func(s *session.Session, w io.Writer) (int64, error) {
			v, err := spout.On(s)(context.Background(), size, true) // to the session's, as others run beside it
			return v.Bytes, err
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := &stopping{left: 300_000, stopped: make(chan struct{}), release: make(chan struct{})}
			s := sudoSession(t, session.Options{Stdout: w})
			stopped := w.stopped
			done := make(chan error, 1)
			var n int64
			go func() {
				var err error
				n, err = start(s, w)
				done <- err
			}()
			arrives(t, "the stop", stopped)
			others := make(chan bool, 1)
			go func() {
				for i := range 200 {
					next.On(s)(i)
				}
				h := sha256.New()
				if m, err := pump.On(s)(h, size); m != size || err != nil {
					t.Errorf("another stream: %d bytes, %v", m, err)
				}
				others <- true
			}()
			arrives(t, "the others", others)
			select {
			case err := <-done:
				t.Errorf("the function ended while nobody took what it wrote: %v", err)
			default:
			}
			close(w.release)
			must(t, arrives(t, "the end of the call", done))
			if w.n != size || n != size {
				t.Errorf("%d bytes were written, %d arrived", n, w.n)
			}
		})
	}
}

// TestSlowConsumer takes a little at a time: neither side's memory grows, and the deadline holds.
func TestSlowConsumer(t *testing.T) {
	s := sudoSession(t, session.Options{})
	before, err := startPeak()
	must(t, err)
	start, err := held.On(s)(true)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), sized(2*time.Second, 20*time.Second))
	defer cancel()
	slow := writerFunc(func(p []byte) (int, error) { time.Sleep(time.Millisecond); return len(p), nil })
	begin := time.Now()
	_, err = spout.On(s)(box.WithOutput(ctx, slow, io.Discard), 100<<30, false)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	t.Logf("returned after %s: %v", time.Since(begin), err)
	after, err := memory()
	must(t, err)
	grown(t, "caller", before, after)
	if s.Alive() {
		end, err := held.On(s)(false)
		must(t, err)
		grown(t, "worker", start.Memory, end.Memory)
	}
	_ = s.Close()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestFlood has functions print far more than anybody wants: what is over the limit is dropped, and counted.
func TestFlood(t *testing.T) {
	const limit = 1 << 20
	size := sized[int64](256<<20, 10<<30)
	s := sudoSession(t, session.Options{OutputLimit: limit})
	out := newMeter()
	before, err := startPeak()
	must(t, err)
	entry := spout.Entry()
	args, err := entry.Arguments([]any{size, false})
	must(t, err)
	b, err := entry.Pack(limited(t), args)
	must(t, err)
	begin := time.Now()
	r, err := s.Deliver(box.WithOutput(limited(t), out, &races), b)
	must(t, err)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if out.n.Load() != limit || r.Dropped != size-limit {
		t.Errorf("of %d bytes %d arrived, %d were dropped; the limit is %d", size, out.n.Load(), r.Dropped, limit)
	}
	after, err := memory()
	must(t, err)
	t.Logf("%s in %s", mib(size), time.Since(begin))
	grown(t, "caller", before, after)
	now, err := held.On(s)(false)
	must(t, err)
	t.Logf("the worker's peak: %s", mib(now.Memory.Peak))
	var wg sync.WaitGroup
	for range 8 { // at once, and beside calls that print nothing
		wg.Go(func() {
			out := newMeter()
			if _, err := spout.On(s)(box.WithOutput(limited(t), out, &races), 4<<20, false); err != nil || out.n.Load() != limit {
				t.Errorf("beside others: %d bytes, %v", out.n.Load(), err)
			}
		})
	}
	wg.Wait()
}
