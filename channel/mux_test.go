package channel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/channel/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A peer is one end of a connection in this process.
type peer struct {
	*Mux
	t      *testing.T
	opened chan *Stream // of the other side, for output and logs
	frames chan wire.Frame
	ended  chan error
}

func (p *peer) Message(f wire.Frame) { p.frames <- f }
func (p *peer) Frame(f wire.Frame) {
	f.Payload = bytes.Clone(f.Payload)
	p.frames <- f
}
func (p *peer) Opened(s *Stream, _ Purpose, _ uint32) { p.opened <- s }

// stream waits for a stream that the other side opened for output.
func (p *peer) stream() *Stream {
	p.t.Helper()
	select {
	case s := <-p.opened:
		return s
	case <-time.After(10 * time.Second):
		p.t.Fatal("no stream came")
		return nil
	}
}

// connect returns the two ends of a connection over pipes; cut ends it, as the death of a process would.
func connect(t *testing.T, o Options) (near, far *peer, cut func()) {
	t.Helper()
	ra, wb, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	rb, wa, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	end := func(r, w *os.File, side wire.Side) *peer {
		p := &peer{t: t, opened: make(chan *Stream, 100), frames: make(chan wire.Frame, 100), ended: make(chan error, 1)}
		mine := o
		mine.Side, mine.Handler = side, p
		p.Mux = New(wire.NewBinary(r, w, wire.Options{}), mine)
		return p
	}
	near, far = end(ra, wa, wire.Caller), end(rb, wb, wire.Worker)
	var running sync.WaitGroup
	for _, p := range []*peer{near, far} {
		running.Go(func() { p.ended <- p.Run() })
	}
	var once sync.Once
	cut = func() {
		once.Do(func() {
			for _, f := range []*os.File{wa, wb, ra, rb} {
				f.Close()
			}
		})
	}
	t.Cleanup(func() {
		cut()
		running.Wait()
	})
	return near, far, cut
}

// pair opens a stream and returns both of its ends.
func pair(t *testing.T, near, far *peer) (*Stream, *Stream) {
	t.Helper()
	a, err := near.Open(ForStdout, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a, far.stream()
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestBytesArrive(t *testing.T) {
	near, far, _ := connect(t, Options{})
	a, b := pair(t, near, far)
	const size = 8 << 20
	sent := make([]byte, size)
	rnd := rand.NewChaCha8([32]byte{1})
	_, _ = rnd.Read(sent)
	var writing sync.WaitGroup
	writing.Go(func() {
		if _, err := a.Write(sent); err != nil {
			t.Error(err)
		}
		if err := a.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(b)
	writing.Wait()
	if err != nil || sha256.Sum256(got) != sha256.Sum256(sent) {
		t.Fatalf("got %d bytes of %d, %v", len(got), size, err)
	}
	if err := b.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(within(t)); err != nil {
		t.Errorf("a stream that ended in good order has the error %v", err)
	}
	if n := near.Streams(); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestItemsArriveWhole(t *testing.T) {
	near, far, _ := connect(t, Options{})
	a, b := pair(t, near, far)
	sizes := []int{0, 1, chunk - 1, chunk, chunk + 1, Window, Window + 1, 3 << 20, 0, 5}
	var sending sync.WaitGroup
	sending.Go(func() {
		for i, n := range sizes {
			half := bytes.Repeat([]byte{byte(i)}, n/2)
			if err := a.Send(within(t), half, nil, bytes.Repeat([]byte{byte(i)}, n-n/2)); err != nil {
				t.Error(err)
			}
		}
		a.Close()
	})
	for i, n := range sizes {
		item, err := b.Receive(within(t))
		if err != nil {
			t.Fatalf("item %d: %v", i, err)
		}
		if !bytes.Equal(item, bytes.Repeat([]byte{byte(i)}, n)) {
			t.Errorf("item %d has %d bytes, want %d", i, len(item), n)
		}
	}
	sending.Wait()
	for range 2 {
		if _, err := b.Receive(within(t)); err != io.EOF {
			t.Errorf("after the last item: %v, want io.EOF", err)
		}
	}
}

// A reader that stops stops its writer, and nothing else.
func TestWindow(t *testing.T) {
	near, far, _ := connect(t, Options{})
	stuck, _ := pair(t, near, far)
	free, freeEnd := pair(t, near, far)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	n, err := stuck.WriteContext(ctx, make([]byte, 10*Window))
	if !errors.Is(err, context.DeadlineExceeded) || n > Window || n < Window/2 {
		t.Errorf("a writer without a reader sent %d bytes, %v", n, err)
	}
	for i := range 1000 {
		if err := free.Send(within(t), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if item, err := freeEnd.Receive(within(t)); err != nil || string(item) != fmt.Sprint(i) {
			t.Fatalf("got %q, %v", item, err)
		}
	}
}

func TestCloseWithError(t *testing.T) {
	near, far, _ := connect(t, Options{})
	a, b := pair(t, near, far)
	if err := a.Send(within(t), []byte("last")); err != nil {
		t.Fatal(err)
	}
	if err := a.CloseWithError(&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}); err != nil {
		t.Fatal(err)
	}
	if item, err := b.Receive(within(t)); err != nil || string(item) != "last" {
		t.Errorf("what was sent before the close: %q, %v", item, err)
	}
	for range 2 {
		_, err := b.Receive(within(t))
		var p *fs.PathError
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &p) || p.Path != "/x" {
			t.Errorf("the error did not arrive: %v", err)
		}
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a write gives %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a write after Close gives %v", err)
	}
}

// A writer that waits for credit learns that the other side has closed.
func TestCloseFreesWriter(t *testing.T) {
	near, far, _ := connect(t, Options{})
	a, b := pair(t, near, far)
	done := make(chan error, 1)
	go func() { _, err := a.Write(make([]byte, 3*Window)); done <- err }()
	if _, err := io.ReadFull(b, make([]byte, Window/2)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestLoss(t *testing.T) {
	near, far, cut := connect(t, Options{})
	a, b := pair(t, near, far)
	if err := a.Send(within(t), []byte("before")); err != nil {
		t.Fatal(err)
	}
	if item, err := b.Receive(within(t)); err != nil || string(item) != "before" {
		t.Fatalf("got %q, %v", item, err)
	}
	waits := make(chan error, 1)
	go func() { _, err := b.Receive(context.Background()); waits <- err }()
	cut()
	var lost *LostError
	if err := <-waits; !errors.As(err, &lost) {
		t.Errorf("a reader of a lost connection got %v", err)
	}
	<-near.Done()
	if _, err := near.Open(ForValue, 0); !errors.As(err, &lost) {
		t.Errorf("Open on a lost connection gives %v", err)
	}
}

func TestTooManyStreams(t *testing.T) {
	near, far, _ := connect(t, Options{MaxStreams: 3})
	for range 3 {
		pair(t, near, far)
	}
	s, err := near.Open(ForStdout, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(within(t)); err == nil {
		t.Error("a stream too many has no error")
	}
	if far.Err() != nil {
		t.Errorf("the connection ended: %v", far.Err())
	}
}

func TestAdopt(t *testing.T) {
	near, far, _ := connect(t, Options{})
	s, err := near.Open(ForValue, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := near.WriteFrame(wire.Started, 0, 9); err != nil { // to know that the opening has arrived
		t.Fatal(err)
	}
	<-far.frames
	if _, err := far.Adopt(s.ID()); err != nil {
		t.Error(err)
	}
	for _, id := range []uint32{s.ID(), 77, 2, 0} {
		if _, err := far.Adopt(id); err == nil {
			t.Errorf("stream %d was adopted", id)
		}
	}
}

// What a hostile peer may send ends the connection, or is ignored; nothing grows.
func TestBreaches(t *testing.T) {
	window := make([]byte, Window/4)
	for name, send := range map[string]func(p *peer, s *Stream) error{
		"more data than the window": func(p *peer, s *Stream) error {
			for range 4 { // each costs a little more than its payload
				if err := p.WriteFrame(wire.Data, 0, s.ID(), window); err != nil {
					return err
				}
			}
			return nil
		},
		"empty items without end": func(p *peer, s *Stream) error {
			for range Window/frameCost + 1 {
				if err := p.WriteFrame(wire.Data, 0, s.ID()); err != nil {
					return err
				}
			}
			return nil
		},
		"too much credit":       func(p *peer, s *Stream) error { return p.WriteFrame(wire.Credit, 0, s.ID(), []byte{0, 0x0c, 0, 1}) },
		"credit of three bytes": func(p *peer, s *Stream) error { return p.WriteFrame(wire.Credit, 0, s.ID(), []byte{0, 0, 0}) },
		"open twice":            func(p *peer, s *Stream) error { return p.WriteFrame(wire.Open, 0, s.ID(), make([]byte, 5)) },
		"open of the other side's": func(p *peer, s *Stream) error {
			return p.WriteFrame(wire.Open, 0, s.ID()+1, make([]byte, 5))
		},
		"open of the connection": func(p *peer, s *Stream) error { return p.WriteFrame(wire.Open, 0, 0, make([]byte, 5)) },
		"data after the end": func(p *peer, s *Stream) error {
			_ = p.WriteFrame(wire.Data, wire.End, s.ID())
			return p.WriteFrame(wire.Data, 0, s.ID(), []byte{1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			near, far, cut := connect(t, Options{})
			s, _ := pair(t, near, far)
			if err := send(near, s); err != nil {
				t.Logf("sending: %v", err)
			}
			err := <-far.ended
			far.ended <- err
			if !errors.Is(err, wire.ErrProtocol) {
				t.Errorf("the other side ended with %v, want a breach of the protocol", err)
			}
			cut()
		})
	}
}

// A closed stream's late frames are nobody's.
func TestLateFramesAreIgnored(t *testing.T) {
	near, far, _ := connect(t, Options{})
	for _, typ := range []wire.Type{wire.Data, wire.Credit, wire.Close, wire.Reply + 100} {
		if err := near.WriteFrame(typ, 0, 55, []byte{0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	f := <-far.frames // only the unknown type reaches the handler
	if f.Type != wire.Reply+100 {
		t.Errorf("got %v", f.Type)
	}
	pair(t, near, far)
}

func TestPingIsAnswered(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	back, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	m := New(wire.NewBinary(r, out, wire.Options{}), Options{Side: wire.Worker, Handler: &peer{}})
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run() })
	other := wire.NewBinary(back, w, wire.Options{})
	if err := other.WriteFrame(wire.Ping, 0, 0, []byte("12345678")); err != nil {
		t.Fatal(err)
	}
	f, err := other.Next()
	if err != nil || f.Type != wire.Ping || f.Flags&wire.Answer == 0 || string(f.Payload) != "12345678" {
		t.Errorf("got %v %v %q, %v", f.Type, f.Flags, f.Payload, err)
	}
	w.Close()
	running.Wait()
	r.Close()
	out.Close()
}

// A side that hears nothing for four heartbeats ends the connection; one that hears beats does not.
func TestHeart(t *testing.T) {
	const beat = 20 * time.Millisecond
	near, far, _ := connect(t, Options{Heartbeat: beat})
	a, b := pair(t, near, far)
	select {
	case <-near.Done():
		t.Fatalf("a connection with a heartbeat ended: %v", near.Err())
	case <-time.After(10 * beat):
	}
	if err := a.Send(within(t), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Receive(within(t)); err != nil {
		t.Fatal(err)
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_, out, err := os.Pipe() // that nobody reads
	if err != nil {
		t.Fatal(err)
	}
	deaf := New(wire.NewBinary(r, out, wire.Options{}), Options{Side: wire.Caller, Handler: &peer{}, Heartbeat: beat})
	var running sync.WaitGroup
	running.Go(func() { _ = deaf.Run() })
	<-deaf.Done()
	if err := deaf.Err(); !errors.Is(err, ErrSilent) {
		t.Errorf("got %v", err)
	}
	w.Close()
	running.Wait()
	r.Close()
	out.Close()
}

// Ids begin again after the last one, and pass over those in use.
func TestIDsWrap(t *testing.T) {
	near, far, _ := connect(t, Options{})
	a, _ := pair(t, near, far)
	near.mu.Lock()
	near.last = 1<<32 - 3
	near.mu.Unlock()
	if id := near.NextID(); id != 1<<32-1 {
		t.Errorf("got %d", id)
	}
	if id := near.NextID(); id == a.ID() || id%2 != 1 {
		t.Errorf("got %d", id)
	}
}

func TestDemand(t *testing.T) {
	near, far, _ := connect(t, Options{})
	a, b := pair(t, near, far)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := a.Demanded(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before the demand: %v", err)
	}
	if err := b.Demand(); err != nil {
		t.Fatal(err)
	}
	if err := a.Demanded(within(t)); err != nil {
		t.Error(err)
	}
}

// Both sides write at once, with more than pipes and windows hold, on many streams: nobody waits for ever.
func TestNoDeadlock(t *testing.T) {
	near, far, _ := connect(t, Options{Heartbeat: time.Second})
	var work sync.WaitGroup
	for i := range 16 {
		a, b := pair(t, near, far)
		for _, ends := range [][2]*Stream{{a, b}, {b, a}} {
			work.Go(func() {
				buf := make([]byte, 4096)
				for n := range 200 {
					binary.BigEndian.PutUint32(buf, uint32(n))
					if err := ends[0].Send(within(t), buf); err != nil {
						t.Errorf("stream %d: %v", i, err)
						return
					}
				}
			})
			work.Go(func() {
				for n := range 200 {
					item, err := ends[1].Receive(within(t))
					if err != nil || binary.BigEndian.Uint32(item) != uint32(n) {
						t.Errorf("stream %d, item %d: %v", i, n, err)
						return
					}
				}
			})
		}
	}
	work.Wait()
}
