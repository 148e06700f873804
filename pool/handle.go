package pool

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"syscall"

	"github.com/seed354a1416/deliveryboy/process"
)

// A Handle is a program that runs elsewhere, with its streams here. It is safe for concurrent use; Close is to be called
// when it is of no more use.
type Handle struct {
	Stdin          *process.Stream // Close says that nothing more comes
	Stdout, Stderr *Spool

	process *process.Process
	ended   chan struct{} // closed when the streams have ended
}

// await ends the streams when the program has ended.
func (h *Handle) await() {
	defer close(h.ended)
	<-h.process.Done()
	h.Stdout.end()
	h.Stderr.end()
}

// Process is what is underneath: signals, measurements, events.
func (h *Handle) Process() *process.Process { return h.process }

// Ref stands for the program as an argument of a function that runs in the same worker: over a client's session, or one of a
// pool, while the program runs.
func (h *Handle) Ref() process.Ref { return h.process.Ref() }

// PID is the program's number there.
func (h *Handle) PID() int { return h.process.PID() }

// Poll reports whether the program has ended, and with which exit code; -1 if a signal ended it.
func (h *Handle) Poll() (code int, ended bool) {
	select {
	case <-h.process.Done():
		state, _ := h.process.Wait(context.Background())
		return state.Code, true
	default:
		return 0, false
	}
}

// Wait waits until the program has ended, and what it wrote is here, up to the 256 KiB of each stream that nobody reads. That
// it failed is no error.
func (h *Handle) Wait(ctx context.Context) (process.State, error) { return h.process.Wait(ctx) }

// Communicate writes all of the input, ends it, and returns what the program writes up to its end.
func (h *Handle) Communicate(ctx context.Context, input []byte) (stdout, stderr []byte, err error) {
	var work sync.WaitGroup
	var wrote, outErr, errErr error
	stop := context.AfterFunc(ctx, func() { _ = h.Kill(context.WithoutCancel(ctx)) })
	defer stop()
	work.Go(func() {
		if len(input) > 0 {
			_, wrote = h.Stdin.Write(input)
		}
		if closed := h.Stdin.Close(); wrote == nil {
			wrote = closed
		}
		if errors.Is(wrote, process.ErrDone) || errors.Is(wrote, syscall.EPIPE) { // it did not want all of it
			wrote = nil
		}
	})
	work.Go(func() { stdout, outErr = io.ReadAll(h.Stdout) })
	work.Go(func() { stderr, errErr = io.ReadAll(h.Stderr) })
	work.Wait()
	if ctx.Err() != nil {
		return stdout, stderr, ctx.Err()
	}
	_, err = h.Wait(ctx)
	return stdout, stderr, errors.Join(wrote, outErr, errErr, err)
}

// Signal sends a signal to the program.
func (h *Handle) Signal(ctx context.Context, s syscall.Signal) error { return h.process.Signal(ctx, s) }

// Kill ends the program and all that it started.
func (h *Handle) Kill(ctx context.Context) error {
	h.Stdout.forget()
	h.Stderr.forget()
	return h.process.Kill(ctx)
}

// Close ends the program if it still runs, and drops what it wrote and nobody read.
func (h *Handle) Close() error {
	h.Stdout.forget()
	h.Stderr.forget()
	err := h.process.Close()
	<-h.ended
	return err
}

// A Spool is what a program writes, until it is read: 256 KiB of it at most, then the program waits.
type Spool struct {
	mu    sync.Mutex // guards what follows
	news  sync.Cond
	bytes []byte
	ended bool
	deaf  bool // nobody reads any more
}

const maxSpool = 256 << 10

func newSpool() *Spool {
	s := &Spool{}
	s.news.L = &s.mu
	return s
}

// Write takes in what the program writes.
func (s *Spool) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < len(p) {
		for len(s.bytes) >= maxSpool && !s.deaf && !s.ended {
			s.news.Wait()
		}
		if s.deaf || s.ended {
			return len(p), nil
		}
		part := p[n:min(len(p), n+maxSpool-len(s.bytes))]
		s.bytes = append(s.bytes, part...)
		n += len(part)
		s.news.Broadcast()
	}
	return n, nil
}

// Read waits for what the program writes. At its end it is io.EOF.
func (s *Spool) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.bytes) == 0 && !s.ended {
		s.news.Wait()
	}
	if len(s.bytes) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.bytes)
	if s.bytes = s.bytes[n:]; len(s.bytes) == 0 {
		s.bytes = nil
	}
	s.news.Broadcast()
	return n, nil
}

// Lines are the lines, without their ends, up to the end of the stream. A line may have 1 MiB.
func (s *Spool) Lines() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		lines := bufio.NewScanner(s)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if !yield(lines.Text(), nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield("", err)
		}
	}
}

// end is the end of the stream, forget that of interest in it.
func (s *Spool) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.news.Broadcast()
}

func (s *Spool) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
	s.news.Broadcast()
}
