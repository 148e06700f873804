package session

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/deploy"
)

// A link is one worker and the wire to it, from the start of the transport to its end. A [Session] that dials again has
// another link.
type link struct {
	options *Options
	via     string
	warm    bool          // it serves many calls
	worker  []string      // the worker's argv, as it is shown
	argv    []string      // the transport's, which runs it, as it is shown
	deploy  *deploy.Plan  // nil if the program is there
	brought deploy.Result // what came of it
	process *process
	asker   *asker // nil: the hops do not ask
	oom     oomWatch
	excess  excess
	output  *output

	trace *wire.Trace
	wire  *wire.Wire
	hello *wire.Hello
	mux   *channel.Mux
	in    box.TypesIn
	outs  box.TypesOut

	read chan struct{} // closed when nothing more is read
	over chan struct{} // closed when the process has ended, or will not; ending is valid then
	work sync.WaitGroup

	ending ending

	mu     sync.Mutex // guards what follows
	calls  map[uint32]*call
	asks   map[uint32]*ask
	reason string // why the worker ends the session; may be empty
	closed bool   // this side has ended it
	lost   bool   // no more calls

	unanswered atomic.Int64 // bytes of calls that wait for their reply
}

// ending is how a link ended.
type ending struct {
	err   error // what is wrong with the wire; nil if it just ended
	gone  bool  // the transport has ended
	alone bool  // there was one call at most
	fault *box.Fault
}

// live takes in what comes until the link ends, and then ends the process and all calls.
func (l *link) live() {
	err := l.mux.Run()
	close(l.read)
	l.mu.Lock()
	l.lost = true
	l.ending.alone = len(l.calls) < 2
	l.mu.Unlock()
	first := l.options.grace() + politely
	if errors.Is(err, channel.ErrSilent) {
		first = 0 // it would not hear us either
	}
	l.ending.gone = l.process.end(first, l.options.grace())
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		err = nil
	}
	l.ending.err = err
	if l.ending.gone {
		l.ending.fault = l.fault()
	}
	close(l.over)
	l.abandon()
}

// watch sees to it that reading ends when the transport has, and when nothing that comes counts any more.
func (l *link) watch() {
	select {
	case <-l.read:
		return
	case <-l.mux.Done():
		// Reading may hang, and so may a write of an answer.
		l.process.release()
		_ = l.process.stdout.SetReadDeadline(time.Now())
	case <-l.process.exited:
		// The worker may be gone with its transport, or on its own now: it sees the lifeline close.
		l.process.release()
		within(l.read, l.options.grace()+finally)
		_ = l.process.stdout.SetReadDeadline(time.Now().Add(afterlife))
	}
}

// finish ends the link: first it closes the lifeline, and if that does not help the transport is ended. It returns when
// the process has ended, or will not.
func (l *link) finish(first time.Duration) {
	l.process.release()
	if within(l.over, first) {
		return
	}
	l.process.terminate()
	if !within(l.over, firmly) {
		l.process.interrupt()
		<-l.over
	}
}

// join waits until nothing of the link is left in this process.
func (l *link) join() { l.work.Wait() }

// Message gives a reply to the call that waits for it.
func (l *link) Message(f wire.Frame) {
	if f.Type != wire.Reply {
		l.breach(f, "a worker does not call")
		return
	}
	r, err := l.in.ReplyFromLink(f.Segments)
	l.mu.Lock()
	c := l.calls[f.Stream]
	if err == nil {
		delete(l.calls, f.Stream)
	}
	l.mu.Unlock()
	switch {
	case err != nil:
		l.mux.Shut(err)
	case c == nil:
		l.breach(f, "a reply that nobody waits for")
	default:
		l.excess.after = !l.warm
		c.done <- outcome{reply: r, size: channel.SizeOf(f.Segments)}
	}
}

// Frame takes in what the worker says about calls and about itself.
func (l *link) Frame(f wire.Frame) {
	switch f.Type {
	case wire.Started:
		l.mu.Lock()
		if c := l.calls[f.Stream]; c != nil {
			c.started.Store(f.Flags&wire.More == 0) // with it, the call waits for its turn
		}
		l.mu.Unlock()
	case wire.Status:
		l.answered(f)
	case wire.Close:
		l.mu.Lock()
		l.reason, l.lost = string(f.Payload), true
		l.mu.Unlock()
	}
}

// breach ends the link for something that is against the protocol.
func (l *link) breach(f wire.Frame, why string) {
	l.mux.Shut(&wire.FrameError{Type: f.Type, Stream: f.Stream, Offset: -1, Why: why, Err: wire.ErrProtocol})
}

// register returns a call under an id of its own; nil if the link takes no more.
func (l *link) register() *call {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost {
		return nil
	}
	c := idle.Get().(*call)
	for {
		if c.id = l.mux.NextID(); l.calls[c.id] == nil {
			l.calls[c.id] = c
			return c
		}
	}
}

// withdraw takes back a call that was not sent.
func (l *link) withdraw(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[c.id] == c {
		delete(l.calls, c.id)
	}
}

// alive reports whether the link takes calls.
func (l *link) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lost && l.mux.Err() == nil
}

// abandon ends the calls that wait.
func (l *link) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, c := range l.calls {
		delete(l.calls, id)
		c.done <- outcome{lost: true}
	}
	for id, a := range l.asks {
		delete(l.asks, id)
		close(a.done)
	}
}
