package pool

import (
	"context"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// seats give the calls of one client a worker: all that run at the same time the same one, so that what one of them has
// there, such as a process, can be an argument of another. A client without calls has none.
//
// Where others wait for a worker, a client that has had its own for a turn gets no further without a pause: a new call waits
// for another turn, in which those that run are to end. If they do not, it is let in beside them, as it may be about them; but
// not any more when the seat is older than the pool's TaskTimeout, so that there is an end.
type seats struct {
	pool   *Pool
	tenant int

	mu    sync.Mutex // guards what follows
	now   *seat      // that calls get; nil if there is none
	comes chan struct{}
	kept  []*seat
}

// A seat is a worker for a while. users is guarded by seats.mu.
type seat struct {
	worker *worker
	users  int
	since  time.Time
	over   chan struct{} // closed when it has no users any more
}

// turn is how long a client may have a worker, for calls without a pause, while others wait.
const turn = time.Second

// take returns a worker for a call. waits is called once if there is none at once.
func (s *seats) take(ctx context.Context, b *box.Box, waits func()) (*seat, error) {
	told := func() {
		if waits != nil {
			waits()
			waits = nil
		}
	}
	held := time.Time{}
	for {
		s.mu.Lock()
		if now := s.now; now != nil && now.worker.takes() {
			if !s.holdsBack(now, held) {
				defer s.mu.Unlock()
				now.users++
				return now, nil
			}
			s.mu.Unlock()
			if held.IsZero() {
				held = time.Now()
			}
			told()
			if err := ends(ctx, now.over); err != nil {
				return nil, s.pool.failed(b.Func, "start", err)
			}
			continue
		}
		coming := s.comes
		if coming == nil {
			s.comes = make(chan struct{})
			s.mu.Unlock()
			return s.fetch(ctx, b, told)
		}
		s.mu.Unlock()
		told()
		select {
		case <-coming:
		case <-ctx.Done():
			return nil, s.pool.failed(b.Func, "start", ctx.Err())
		}
	}
}

// holdsBack reports whether a call has to wait for the end of the calls that run. held is since when it does. It is called
// with s.mu held.
func (s *seats) holdsBack(now *seat, held time.Time) bool {
	age := time.Since(now.since)
	if age < turn || !s.pool.wanted() {
		return false
	}
	limit := s.pool.options.TaskTimeout
	return held.IsZero() || time.Since(held) < turn || limit > 0 && age > limit+turn
}

// ends waits for the end of a seat, for a turn at most.
func ends(ctx context.Context, over <-chan struct{}) error {
	timer := time.NewTimer(turn)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// fetch gets a worker from the pool, for this call and those that wait for it.
func (s *seats) fetch(ctx context.Context, b *box.Box, waits func()) (*seat, error) {
	k, err := s.pool.acquire(ctx, request{box: b, first: true, alone: true, tenant: s.tenant, waits: waits})
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.comes)
	s.comes = nil
	if err != nil {
		return nil, err
	}
	s.now = &seat{worker: k, users: 1, since: time.Now(), over: make(chan struct{})}
	return s.now, nil
}

// keep holds a worker until the client is gone.
func (s *seats) keep(k *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.users++
	s.kept = append(s.kept, k)
}

// free is the end of a call's use.
func (s *seats) free(old *seat) {
	s.mu.Lock()
	old.users--
	over := old.users == 0
	if over && s.now == old {
		s.now = nil
	}
	s.mu.Unlock()
	if over {
		s.pool.release(old.worker)
		close(old.over)
	}
}

// leave gives back what was kept.
func (s *seats) leave() {
	s.mu.Lock()
	kept := s.kept
	s.kept = nil
	s.mu.Unlock()
	for _, k := range kept {
		s.free(k)
	}
}
