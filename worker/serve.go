package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/internal/spelling"
	"github.com/seed354a1416/deliveryboy/registry"
)

// Why a call is cancelled, as the function may ask with context.Cause.
var (
	errCancelled  = errors.New("the caller cancelled the call")
	errCallerLost = errors.New("the caller is gone")
	errDeadline   = errors.New("the deadline has passed")
)

// lastWord is how long a stopped worker may take to say so: a caller that does not read must not keep it alive.
const lastWord = 500 * time.Millisecond

// A server serves the one call of a one-shot worker.
type server struct {
	wire  *channel.Wire
	io    *stdio
	names []string
	grace time.Duration

	maxReply int64 // bytes; 0: channel.DefaultMessage
}

// An inbox is what the reading goroutine found on the wire.
type inbox struct {
	call  *box.Box
	reply *box.Reply // that answers a call which could not be opened
	id    uint32
	lost  error // no more will come
}

func (s *server) serve() int {
	first := s.read()
	switch {
	case first.lost != nil:
		if !errors.Is(first.lost, io.EOF) {
			s.io.say(first.lost)
			return exitProtocol
		}
		return 0 // the caller changed its mind: skew, or cancelled before it sent anything
	case first.reply != nil:
		return s.answer(first.id, first.reply)
	}
	return s.call(first.id, first.call)
}

// read takes the next call from the wire.
func (s *server) read() inbox {
	for {
		f, err := s.wire.Next()
		if err != nil {
			return inbox{lost: err}
		}
		switch f.Type {
		case channel.Call:
			b, err := box.BoxFromSegments(f.Segments)
			if err != nil {
				return inbox{id: f.Stream, reply: &box.Reply{Refusal: box.RefusalOf(err, false)}}
			}
			return inbox{id: f.Stream, call: b}
		case channel.Cancel:
			return inbox{lost: io.EOF}
		}
	}
}

// call runs the function that the box asks for.
func (s *server) call(id uint32, b *box.Box) int {
	entry, err := s.lookup(b.Func)
	if err != nil {
		return s.answer(id, &box.Reply{Refusal: box.RefusalOf(err, false)})
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	end := s.watch(cancel)
	out, err := capture(s.wire, id)
	if err != nil {
		return s.answer(id, &box.Reply{Refusal: &box.Refusal{Class: "packing", Func: b.Func, Why: "cannot capture output: " + err.Error()}})
	}
	if err := s.wire.WriteFrame(channel.Started, 0, id); err != nil {
		cancel(errCallerLost)
	}
	done := make(chan *box.Reply, 1)
	go func() { done <- box.Execute(ctx, entry, b) }()
	select {
	case r := <-done:
		endTree()
		out.finish()
		return s.answer(id, r)
	case <-end: // cancelled, and the grace is over
		endTree()
		out.finish()
		s.stop()
		return 0
	}
}

func (s *server) lookup(name string) (*registry.Entry, error) {
	if err := registry.CheckName(name); err != nil {
		return nil, &box.PackingError{Why: err.Error()}
	}
	allowed := s.names
	if len(allowed) == 0 {
		allowed = registry.Names()
	}
	e, ok := registry.Lookup(name)
	if ok && permits(s.names, name) {
		return e, nil
	}
	why := "no such function is registered on the far side"
	if ok {
		why = "this worker is narrowed to other functions"
	}
	if near := spelling.Near(name, allowed, 3); len(near) > 0 {
		why += fmt.Sprintf("; near it: %q", near)
	}
	return nil, &box.PackingError{Func: name, Why: why}
}

// watch cancels the call when the caller says so, when it is gone, or on a signal. The channel that it returns is closed
// when the grace that follows is over.
func (s *server) watch(cancel context.CancelCauseFunc) <-chan struct{} {
	end := make(chan struct{})
	causes := make(chan error, 2)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() { // ends with the process: nothing can interrupt a read of stdin
		for {
			f, err := s.wire.Next()
			if err != nil {
				causes <- errCallerLost
				return
			}
			if f.Type == channel.Cancel {
				if string(f.Payload) == context.DeadlineExceeded.Error() {
					causes <- errDeadline
				} else {
					causes <- errCancelled
				}
				return
			}
		}
	}()
	go func() { // ends with the process
		select {
		case err := <-causes:
			if err != errDeadline { // the box brought the deadline along: the context ends by itself, and as it should
				cancel(err)
			}
		case sig := <-signals:
			cancel(fmt.Errorf("the worker got the signal %s", sig))
		}
		time.Sleep(s.grace)
		close(end)
		time.Sleep(lastWord)
		endTree()
		s.io.exit(exitUnavailable)
	}()
	return end
}

// answer sends the reply. A reply that nobody takes is no failure of the worker.
func (s *server) answer(id uint32, r *box.Reply) int {
	segments, err := r.Segments()
	if err == nil {
		err = s.fits(segments)
	}
	if err != nil {
		r = &box.Reply{Refusal: box.RefusalOf(err, true), Run: r.Run}
		if segments, err = r.Segments(); err != nil {
			s.io.say(err)
			return exitOS
		}
	}
	if err := s.wire.WriteMessage(channel.Reply, id, segments); err != nil {
		return exitProtocol
	}
	// From here on, what comes is the transport's.
	_ = s.wire.WriteFrame(channel.Close, channel.End, 0)
	return 0
}

// fits reports a reply that the caller will not take.
func (s *server) fits(segments [][]byte) error {
	limit, size := s.maxReply, int64(0)
	if limit <= 0 {
		limit = channel.DefaultMessage
	}
	for _, seg := range segments {
		size += int64(len(seg))
	}
	if size > limit {
		return &box.EncodingError{What: "reply", Why: fmt.Sprintf("it has %d bytes, more than the %d that the caller takes", size, limit)}
	}
	return nil
}

// stop says that the call was stopped without a reply.
func (s *server) stop() {
	reason := fmt.Sprintf("the function did not return within %s after it was cancelled", s.grace)
	// The caller may be gone: then nobody needs to know.
	_ = s.wire.WriteFrame(channel.Close, channel.End, 0, []byte(reason))
}
