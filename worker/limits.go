package worker

import (
	"fmt"
	"sync"
	"time"
)

// limits end a session that nobody needs any more. They are what the preamble says.
type limits struct {
	server  *server
	idling  *time.Timer // nil without a limit
	mu      sync.Mutex  // guards expired
	expired error
}

func newLimits(s *server) *limits {
	l := &limits{server: s}
	p := s.preamble
	if p.Idle > 0 {
		l.idling = time.AfterFunc(p.Idle, func() {
			if l.quiet() { // else a call came in this very moment
				l.expire(fmt.Errorf("no call came for %s", p.Idle))
			}
		})
	}
	if p.Lifetime > 0 {
		time.AfterFunc(p.Lifetime, func() {
			why := fmt.Errorf("its lifetime of %s is over", p.Lifetime)
			l.expire(why)
			time.AfterFunc(s.grace, func() { s.finish(ending{cause: why, reason: why.Error()}) })
		})
	}
	return l
}

func (l *limits) quiet() bool {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	return len(l.server.tasks) == 0
}

// expire lets no more calls in. The worker ends when those that run have; at the end of its
// lifetime it gives them its grace, and cancels them then.
func (l *limits) expire(why error) {
	l.mu.Lock()
	l.expired = why
	l.mu.Unlock()
	s := l.server
	s.mu.Lock()
	quiet := len(s.tasks) == 0
	if s.closing == nil {
		s.closing = why
	}
	s.mu.Unlock()
	if quiet {
		s.finish(ending{cause: why, reason: why.Error()})
	}
}

// taken says why no call more is taken after so many; nil if it is.
func (l *limits) taken(calls int64) error {
	if most := l.server.preamble.MaxCalls; most > 0 && calls >= int64(most) {
		return tooMany(most)
	}
	return nil
}

func tooMany(most int) error { return fmt.Errorf("it has served %d calls, as many as it should", most) }

// busy is told that a call has come.
func (l *limits) busy() {
	if l.idling != nil {
		l.idling.Stop()
	}
}

// left is told that a call has ended, and its reply is sent.
func (l *limits) left() {
	s := l.server
	s.mu.Lock()
	quiet, why := len(s.tasks) == 0, l.taken(s.calls)
	s.mu.Unlock()
	if !quiet {
		return
	}
	l.mu.Lock()
	if l.expired != nil {
		why = l.expired
	}
	l.mu.Unlock()
	switch {
	case why != nil:
		s.finish(ending{cause: why, reason: why.Error()})
	case l.idling != nil:
		l.idling.Reset(s.preamble.Idle)
	}
}
