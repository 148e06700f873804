package worker

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/registry"
)

// maxWaiting is how many calls may wait for others to end.
const maxWaiting = 1 << 16

// A task is one call, from its arrival to its reply.
type task struct {
	server *server
	id     uint32
	entry  *registry.Entry
	box    *box.Box
	live   *channel.Bridges // nil if there is nothing live
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the reply is sent

	next    []*task       // that run when this one has ended well; guarded by server.mu
	started bool          // guarded by server.mu
	waits   chan struct{} // closed when the caller was told that it waits; nil if it need not be
	arrived time.Time     // of one with a deadline; zero without

	mu     sync.Mutex // guards what follows
	grace  *time.Timer
	ended  bool
	stdout callStream
	stderr callStream
	log    callStream
}

func newTask(s *server, id uint32, e *registry.Entry, b *box.Box) *task {
	t := &task{server: s, id: id, entry: e, box: b, done: make(chan struct{})}
	if b.Timeout > 0 {
		t.arrived = time.Now()
	}
	t.ctx, t.cancel = context.WithCancelCause(context.WithValue(context.Background(), taskKey{}, t))
	t.ctx = box.WithOutput(t.ctx, callWriter{t, channel.ForStdout}, callWriter{t, channel.ForStderr})
	if len(s.names) > 0 {
		t.ctx = box.WithPermits(t.ctx, s.names)
	}
	return t
}

// adopt makes proxies of the live arguments. It is called by the goroutine that reads, before more comes on their streams.
func (t *task) adopt() (err error) {
	if len(t.box.Streams) == 0 {
		return nil
	}
	t.bridges()
	t.box.Live, err = t.live.Import(t.box.Streams, t.entry.LiveArg)
	return err
}

func (t *task) bridges() {
	if t.live == nil {
		t.live = channel.NewBridges(t.ctx, t.server.mux, t.id)
	}
}

// drop gives up a task that will not run.
func (t *task) drop() {
	t.cancel(errCancelled)
	if t.live != nil {
		go t.live.End() // the goroutine that reads must not write
	}
}

// admit takes a call, and runs it as soon as it may.
func (s *server) admit(t *task) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	why := s.closing
	if why == nil {
		why = s.limits.taken(s.calls)
	}
	switch {
	case s.tasks[t.id] != nil:
		return &box.PackingError{Func: t.box.Func, Why: fmt.Sprintf("call %d runs already", t.id)}
	case why != nil:
		return &box.EndingError{Func: t.box.Func, Why: why}
	case len(s.tasks) >= maxWaiting+s.preamble.Concurrent:
		return &box.PackingError{Func: t.box.Func, Why: fmt.Sprintf("%d calls wait already", maxWaiting)}
	}
	s.calls++
	s.tasks[t.id] = t
	s.limits.busy()
	if after := t.box.After; after != 0 {
		if before := s.tasks[after]; before != nil {
			before.next = append(before.next, t)
			t.wait()
			return nil
		}
		if r := s.failed.of(after); r != nil {
			s.launch(t, func() { t.fail(r) })
			return nil
		}
	}
	s.start(t)
	return nil
}

// start runs a task, or lets it wait for its turn. It is called with s.mu held.
func (s *server) start(t *task) {
	if limit := s.preamble.Concurrent; limit > 0 && s.running >= limit {
		s.ready = append(s.ready, t)
		t.wait()
		return
	}
	s.launch(t, t.run)
}

// wait says that the function does not run yet: of a session, the caller takes every other call for started.
func (t *task) wait() {
	if !t.server.preamble.Session || t.waits != nil {
		return
	}
	t.waits = make(chan struct{})
	go func() { // the goroutine that reads must not write; run waits for it
		defer close(t.waits)
		_ = t.server.wire.WriteFrame(wire.Started, wire.More, t.id)
	}()
}

// launch has f see to a task, up to its reply. It is called with s.mu held.
func (s *server) launch(t *task, f func()) {
	if s.stopped || t.started {
		return
	}
	t.started = true
	s.running++
	s.runners.run(f)
}

// run calls the function.
func (t *task) run() {
	if t.waits != nil {
		<-t.waits
	}
	if t.waits != nil || !t.server.preamble.Session {
		if err := t.server.wire.WriteFrame(wire.Started, 0, t.id); err != nil {
			t.cancel(errCallerLost)
		}
	}
	b := *t.box
	if b.Timeout > 0 { // it may have waited for its turn
		b.Timeout = max(b.Timeout-time.Since(t.arrived), 1)
	}
	box.ExecuteHere(t.ctx, t.entry, &b, t.reply)
}

// fail answers a task that does not run, because the one before it failed.
func (t *task) fail(before *box.Reply) {
	t.reply(&box.Reply{Fault: before.Fault, Refusal: before.Refusal, Run: before.Run})
}

// reply sends what came of the call, after all that belongs to it.
func (t *task) reply(r *box.Reply) {
	s := t.server
	t.exportResults(r)
	if !s.preamble.Session {
		endTree()
		s.output.finish()
	} else {
		s.output.flush(t)
	}
	r.Dropped = t.closeOutput()
	if t.live != nil {
		t.live.End()
	}
	s.leave(t, r)
	s.answer(t.id, r)
	t.cancel(nil)
	close(t.done)
	s.limits.left()
	if !s.preamble.Session && len(r.Streams) == 0 {
		s.finish(ending{})
	}
}

// exportResults puts live results on streams. They outlive the call: each lives until its reader has closed it, or is at
// its end. An open file is the caller's when it was passed on.
func (t *task) exportResults(r *box.Reply) {
	if len(r.Live) == 0 {
		return
	}
	results := channel.NewBridges(context.Background(), t.server.mux, t.id)
	var err error
	if r.Streams, err = results.Export(r.Live, t.entry.LiveResult); err != nil {
		r.Streams, r.Refusal = nil, box.RefusalOf(err, true)
		results.End()
	}
	for _, l := range r.Live {
		if f, ok := l.Value.Interface().(*os.File); ok && f != nil && l.Value.Kind() == reflect.Pointer {
			f.Close()
		}
	}
}

// leave takes a task off the table, and starts those that waited for it.
func (s *server) leave(t *task, r *box.Reply) {
	t.mu.Lock()
	t.ended = true
	if t.grace != nil {
		t.grace.Stop()
	}
	t.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tasks, t.id)
	s.running--
	bad := r.Fault != nil || r.Refusal != nil
	if bad {
		s.failed.add(t.id, r)
	}
	for _, next := range t.next {
		if bad {
			s.launch(next, func() { next.fail(r) })
		} else {
			s.start(next)
		}
	}
	for len(s.ready) > 0 && s.running < s.preamble.Concurrent {
		next := s.ready[0]
		s.ready = s.ready[1:]
		s.launch(next, next.run)
	}
}

// cancelledBy ends the function's context. If the function ignores that for the grace, the worker ends, with it and with
// everything else.
func (t *task) cancelledBy(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended || t.grace != nil {
		return
	}
	s := t.server
	cause := context.Canceled
	if reason == context.DeadlineExceeded.Error() {
		cause = context.DeadlineExceeded
	}
	s.mu.Lock()
	if !t.started { // it waits for its turn, and will not have it
		s.launch(t, func() { t.fail(&box.Reply{Fault: box.FaultOf(cause)}) })
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	t.grace = time.AfterFunc(s.grace, func() {
		s.finish(ending{cause: errCancelled, reason: s.stubborn(), now: true})
	})
	if cause != context.DeadlineExceeded || t.arrived.IsZero() {
		t.cancel(errCancelled)
	} // else the context ends by itself, and as it should
}
