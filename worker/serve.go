package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/internal/spelling"
	"github.com/seed354a1416/deliveryboy/registry"
)

// Why a call is cancelled, as the function may ask with context.Cause.
var (
	errCancelled  = errors.New("the caller cancelled the call")
	errCallerLost = errors.New("the caller is gone")
	errClosed     = errors.New("the caller has closed the session")
)

// lastWord is how long a worker may take to say that it ends: a caller that does not read must not keep it alive.
const lastWord = 500 * time.Millisecond

// A server serves the calls of one caller: one, or those of a session.
type server struct {
	io       *stdio
	names    []string // the functions that it is narrowed to; none: all
	preamble *wire.Preamble
	grace    time.Duration
	begun    time.Time

	wire    *wire.Wire
	mux     *channel.Mux
	in      box.TypesIn
	replies channel.Replies
	output  *outputs
	limits  *limits
	runners runners
	over    chan ending // what ends the worker; the first one counts

	mu      sync.Mutex // guards what follows
	tasks   map[uint32]*task
	ready   []*task // that wait because others run
	running int
	calls   int64 // since the beginning
	failed  failures
	closing error // why no more calls are taken; nil while they are
	stopped bool  // none of those that wait will run

	home *task // stands for the session, where output is nobody's
}

// An ending is why a worker ends.
type ending struct {
	cause  error  // for the functions that still run
	reason string // for the caller; empty if it knows
	code   int
	now    bool // without grace: somebody has had it
}

// serve goes on until the caller has no more to ask. It returns the worker's exit code.
func (s *server) serve() int {
	s.begun, s.tasks, s.over = time.Now(), map[uint32]*task{}, make(chan ending, 1)
	s.replies.Session, s.replies.Max = s.preamble.Session, s.preamble.MaxMessage
	s.runners.work = make(chan func())
	s.home = &task{server: s}
	s.mux = channel.New(s.wire, channel.Options{
		Side: wire.Worker, Handler: s, Heartbeat: s.preamble.Heartbeat, Lane: s.io.lane(s.preamble.Descriptors),
	})
	var err error
	if s.output, err = capture(s); err != nil {
		s.io.say(fmt.Errorf("cannot capture output: %w", err))
		return exitOS
	}
	s.captureLog()
	s.limits = newLimits(s)
	go s.read()        // ends with the process: nothing can interrupt a read of stdin
	go s.heedSilence() // the same
	go s.heedSignals()
	return s.end(<-s.over)
}

// read takes in what the caller sends until it is gone.
func (s *server) read() {
	err := s.mux.Run()
	e := ending{cause: errCallerLost}
	if err != nil {
		e.code = exitProtocol
		s.io.say(err)
	}
	s.finish(e)
}

// heedSilence ends the worker when the caller is silent: the read that waits for it would not notice.
func (s *server) heedSilence() {
	<-s.mux.Done()
	if err := s.mux.Err(); errors.Is(err, channel.ErrSilent) {
		s.finish(ending{cause: errCallerLost, code: exitProtocol})
	}
}

func (s *server) heedSignals() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	s.finish(ending{cause: fmt.Errorf("the worker got the signal %s", <-signals)})
}

// finish ends the worker. Only the first call counts.
func (s *server) finish(e ending) {
	select {
	case s.over <- e:
	default:
	}
}

// end cancels what runs, gives it the grace, ends everything that was started, and says so.
func (s *server) end(e ending) int {
	tasks := s.close(e.cause)
	grace := time.NewTimer(s.grace)
	if e.now {
		grace.Reset(0)
	}
	for _, t := range tasks {
		t.cancel(e.cause)
	}
	expired := false
	for _, t := range tasks {
		if !expired {
			select {
			case <-t.done:
			case <-grace.C:
				expired = true
			}
		}
	}
	if expired && e.reason == "" {
		e.reason = s.stubborn()
	}
	endTree()
	s.lastWords(e.reason)
	return e.code
}

func (s *server) stubborn() string {
	return fmt.Sprintf("the function did not return within %s after it was cancelled", s.grace)
}

// lastWords sends the rest of the output and the reason, as far as somebody listens.
func (s *server) lastWords(reason string) {
	said := make(chan struct{})
	go func() { // ends with the process at the latest
		defer close(said)
		s.output.finish()
		_ = s.wire.WriteFrame(wire.Close, wire.End, 0, []byte(reason))
		_ = s.wire.Flush()
	}()
	select {
	case <-said:
	case <-time.After(lastWord):
	}
}

// close takes no more calls, starts none of those that wait, and returns those that run.
func (s *server) close(why error) []*task {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing, s.stopped = why, true
	return s.executing()
}

// executing returns the tasks that run. It is called with s.mu held.
func (s *server) executing() []*task {
	var tasks []*task
	for _, t := range s.tasks {
		if t.started {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// owner is the task that runs, if there is just one, and the session otherwise.
func (s *server) owner() *task {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == 1 {
		for _, t := range s.tasks {
			if t.started {
				return t
			}
		}
	}
	return s.home
}

// Message takes in a call.
func (s *server) Message(f wire.Frame) {
	if f.Type != wire.Call {
		return // the answer to a callback that nobody waits for any more: its call has ended
	}
	b, err := s.in.BoxFromLink(f.Segments)
	if err != nil {
		s.mux.Disown(b.Streams)
		s.refuse(f.Stream, err)
		return
	}
	entry, err := s.lookup(b.Func)
	if err != nil {
		s.mux.Disown(b.Streams)
		s.refuse(f.Stream, err)
		return
	}
	t := newTask(s, f.Stream, entry, b)
	if err := t.adopt(); err != nil {
		t.drop()
		s.mux.Disown(b.Streams) // those that were not adopted
		s.refuse(f.Stream, err)
		return
	}
	if err := s.admit(t); err != nil {
		t.drop()
		s.refuse(f.Stream, err)
	}
}

// refuse answers a call that is not run. The goroutine that reads must not write.
func (s *server) refuse(id uint32, err error) {
	r := &box.Reply{Refusal: box.RefusalOf(err, false)}
	go func() { // ends with the connection at the latest
		s.answer(id, r)
		if !s.preamble.Session {
			s.finish(ending{})
		}
	}()
}

func (s *server) lookup(name string) (*registry.Entry, error) {
	if err := registry.CheckName(name); err != nil {
		return nil, &box.PackingError{Why: err.Error()}
	}
	e, ok := registry.Lookup(name)
	if ok && permits(s.names, name) {
		return e, nil
	}
	allowed := s.names
	if len(allowed) == 0 {
		allowed = registry.Names()
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

// Frame takes in what the caller says about calls and about the worker.
func (s *server) Frame(f wire.Frame) {
	switch f.Type {
	case wire.Cancel:
		s.mu.Lock()
		t := s.tasks[f.Stream]
		s.mu.Unlock()
		if t != nil {
			t.cancelledBy(string(f.Payload))
		} else if !s.preamble.Session {
			s.finish(ending{cause: errCancelled}) // before it was sent
		}
	case wire.Close:
		s.finish(ending{cause: errClosed})
	case wire.Status:
		s.report(f)
	case wire.Signal:
		s.signal(f)
	}
}

// Opened takes in nothing: a caller has no output.
func (s *server) Opened(stream *channel.Stream, _ channel.Purpose, _ uint32) {
	go func() { _ = stream.Close() }() // the goroutine that reads must not write
}

// answer sends a reply. A reply that nobody takes is no failure of the worker.
func (s *server) answer(id uint32, r *box.Reply) {
	segments, sent, err := s.replies.Pack(r)
	if err != nil {
		s.io.say(err)
		return
	}
	if s.wire.WriteMessage(wire.Reply, id, segments) == nil {
		sent()
	}
}

type taskKey struct{}

// taskOf is the call that a context belongs to; nil if it belongs to none.
func taskOf(ctx context.Context) *task {
	t, _ := ctx.Value(taskKey{}).(*task)
	return t
}
