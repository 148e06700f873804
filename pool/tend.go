package pool

import (
	"time"
)

// tend keeps the number of workers between Min and what is needed, until the pool is closed.
func (p *Pool) tend() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.life.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
		if next := p.upkeep(time.Now()); next > 0 {
			timer.Reset(next)
		} else {
			timer.Stop()
		}
	}
}

// nudge has the pool looked after: something has changed.
func (p *Pool) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// upkeep ends workers that nobody needs, starts those that are missing, and says when it has to be done again; 0 for when
// something changes.
func (p *Pool) upkeep(now time.Time) (next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return 0
	}
	later := func(at time.Time) {
		if d := max(at.Sub(now), time.Millisecond); next == 0 || d < next {
			next = d
		}
	}
	p.reap(now, later)
	for len(p.workers) < p.min {
		if p.failures > 0 && now.Before(p.retry) {
			later(p.retry)
			break
		}
		p.start(nil)
	}
	if len(p.waiting) > 0 && p.failures > 0 {
		if now.Before(p.retry) {
			later(p.retry)
		} else {
			p.dispatch()
		}
	}
	return next
}

// reap ends workers that are too many, and those above Min that have rested for too long. It is called with p.mu held.
func (p *Pool) reap(now time.Time, later func(time.Time)) {
	for i := 0; i < len(p.workers); {
		k := p.workers[i]
		i++
		if k.load > 0 || k.session == nil || len(p.workers) <= p.min {
			continue
		}
		switch ends := k.rested.Add(p.options.IdleTimeout); {
		case len(p.workers) > p.size:
			p.retire(k, ReplacedScaled)
			i--
		case p.options.IdleTimeout < 0:
		case !now.Before(ends):
			p.retire(k, ReplacedIdle)
			i--
		default:
			later(ends)
		}
	}
}

// Scale changes how many workers there are at most, and how many are kept ready, by n, which may be below 0, and returns
// how many there may be now: from 1 to 4096. Those that are too many end at once if they are idle, and else when they have
// done what they do.
func (p *Pool) Scale(n int) (size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size = min(max(p.size+min(max(n, -maxSize), maxSize), 1), maxSize)
	p.min = min(max(p.min+size-p.size, 0), size)
	p.size = size
	p.dispatch()
	p.nudge()
	return size
}
