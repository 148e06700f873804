package pool

import (
	"context"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
)

// A Session is a worker of a pool that serves nobody else until Close. It is a courier, and safe for concurrent use: its
// calls run in one process, which ends with it, and takes with it what they left there.
type Session struct {
	pool   *Pool
	worker *worker
	calls  sync.WaitGroup

	mu     sync.Mutex // guards closed
	closed bool
}

// Session waits for a worker that has nothing to do, as long as ctx says, and returns it.
func (p *Pool) Session(ctx context.Context) (*Session, error) {
	k, err := p.acquire(ctx, request{first: true, alone: true})
	if err != nil {
		return nil, err
	}
	return &Session{pool: p, worker: k}, nil
}

// Deliver has the session's worker run a function. TaskTimeout holds for each call. A call that is lost is not repeated.
func (s *Session) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, s.pool.failed(b.Func, "send", ErrSessionClosed)
	}
	s.calls.Add(1)
	s.mu.Unlock()
	defer s.calls.Done()
	return s.pool.deliver(ctx, s.worker, b, nil)
}

// Close ends the session and its worker; calls that run are cancelled. To close again does nothing.
func (s *Session) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	reason := s.pool.reason(s.worker)
	err := s.worker.session.Close()
	s.calls.Wait()
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.pool.leave(s.worker)
	s.pool.returned(s.worker, reason)
	return err
}
