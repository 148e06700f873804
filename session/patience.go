package session

import (
	"sync"
	"time"
)

// A patience is the time that the far side has for an answer. The time in which somebody is asked for a password does not
// count.
type patience struct {
	limit time.Duration
	asker *asker
	out   func() // what happens when it runs out

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	granted time.Duration // what was added for questions
	stopped bool
	over    bool
}

func newPatience(limit time.Duration, a *asker, out func()) *patience {
	p := &patience{limit: limit, asker: a, out: out}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(limit, p.fire)
	return p
}

func (p *patience) fire() {
	waited := p.asker.waited()
	p.mu.Lock()
	if p.stopped {
		p.mu.Unlock()
		return
	}
	if more := waited - p.granted; more > 0 {
		p.granted = waited
		p.timer.Reset(max(more, time.Millisecond)) // a question that is open counts on, and gets as much again
		p.mu.Unlock()
		return
	}
	p.over = true
	p.mu.Unlock()
	p.out()
}

// again begins anew, unless it has run out.
func (p *patience) again() {
	waited := p.asker.waited()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped && !p.over {
		p.granted = waited
		p.timer.Reset(p.limit)
	}
}

// stop reports whether it has run out; if not, it will not any more.
func (p *patience) stop() (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.timer.Stop()
	return p.over
}
