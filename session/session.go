// Package session keeps a worker warm: one start of a transport, one login, one handshake, then calls at the speed of
// a pipe.
//
//	web, err := session.Open(ctx, session.Options{Via: transport.Chain{transport.SSH{Host: "web1"}, transport.Sudo{}}})
//	if err != nil {
//		return err
//	}
//	defer web.Close()
//	version, err := install.On(web)(ctx, "nginx")
//
// A [Session] is a courier that many goroutines may use at once. When it is lost, because the far side or the way to it
// broke, the calls in flight fail at once, and say whether their function had started; see [LostError]. The next call of
// a function that is registered as idempotent dials again. A session that ends, by Close or because this program does,
// takes with it whatever its functions started.
//
// [Once] is the other way: a worker for one call.
package session

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A Session is a warm worker. It is safe for concurrent use.
type Session struct {
	options Options
	current atomic.Pointer[link]
	turn    chan struct{} // held by who dials or closes

	err error // what Close returned; guarded by turn

	mu     sync.Mutex // guards what follows
	closed bool
	stop   context.CancelFunc // of who dials
}

// Open starts a worker that serves until Close. The context is for the opening alone. The error is a *box.DeliveryError.
func Open(ctx context.Context, o Options) (*Session, error) {
	s := &Session{options: o, turn: make(chan struct{}, 1)}
	if o.Ask != nil {
		s.options.answers = &answers{}
	}
	l, err := connect(ctx, &s.options, o.Only, true, "")
	if err != nil {
		return nil, err
	}
	s.current.Store(l)
	return s, nil
}

// Deliver has the worker run a function and returns the reply.
//
// When ctx is done, the function's context ends too. A function that does not return within the grace then has the worker
// end itself, and with it the session; the error is a *box.DeliveryError around the context's, whose Fate says what
// became of the function. When the session is lost the error is one around a *[LostError]; but if the function itself
// ended the worker, by os.Exit for instance, and no other call was in flight, the reply says so as that of Once does.
func (s *Session) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	for {
		l := s.current.Load()
		if c := l.register(); c != nil {
			return l.deliver(ctx, c, b)
		}
		if err := s.again(ctx, l, b.Func); err != nil {
			return nil, err
		}
	}
}

// again dials for a function that may be repeated, unless somebody else has done so since.
func (s *Session) again(ctx context.Context, lost *link, function string) error {
	if s.isClosed() {
		return lost.failed(function, "send", box.NotStarted, ErrClosed)
	}
	if e, ok := registry.Lookup(function); !ok || !e.Idempotent() {
		return lost.refused(function)
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return lost.failed(function, "start", box.NotStarted, ctx.Err())
	}
	defer func() { <-s.turn }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	switch {
	case !s.dialing(cancel):
		return lost.failed(function, "send", box.NotStarted, ErrClosed)
	case s.current.Load() != lost:
		return nil
	}
	select {
	case <-lost.over:
		lost.join()
	case <-ctx.Done():
		return lost.failed(function, "start", box.NotStarted, ctx.Err())
	}
	l, err := connect(ctx, &s.options, s.options.Only, true, function)
	if err != nil {
		return err
	}
	s.current.Store(l)
	return nil
}

// dialing lets Close stop who dials; it is false after Close.
func (s *Session) dialing(cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = cancel
	return !s.closed
}

func (s *Session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Alive reports whether the worker takes calls, as far as is known.
func (s *Session) Alive() bool { return s.current.Load().alive() }

// Done is closed when the worker that serves now has ended. A session that dials again has another worker.
func (s *Session) Done() <-chan struct{} { return s.current.Load().over }

// Err is why the session takes no calls: nil if it does, ErrClosed after Close, else a *[LostError].
func (s *Session) Err() error {
	if s.isClosed() {
		return ErrClosed
	}
	if l := s.current.Load(); !l.alive() {
		return l.lostError()
	}
	return nil
}

// Via is the transport that starts the worker.
func (s *Session) Via() transport.Transport { return s.options.Via }

// String says who serves, for logs.
func (s *Session) String() string {
	l := s.current.Load()
	return fmt.Sprintf("session via %s, pid %d on %s", l.via, l.hello.PID, l.hello.Host)
}
