package process

import (
	"slices"
	"time"
)

// endsKept is into how many parts a window of ends is divided: of those in one part, only the number is kept.
const endsKept = 1000

// ends are how often something has ended within a window of time, and about when.
type ends struct {
	list []endsAt // the oldest first; the first of each lies within the window
	last time.Time
}

// endsAt are those that came at a time, or up to a part of the window later.
type endsAt struct {
	time  time.Time
	count int
}

// before reports whether there were ends, all of them before the window that closes now.
func (e *ends) before(now time.Time, window time.Duration) bool {
	return len(e.list) > 0 && now.Sub(e.last) > window
}

// add takes in an end, and forgets those before the window that closes with it.
func (e *ends) add(now time.Time, window time.Duration) {
	old := slices.IndexFunc(e.list, func(a endsAt) bool { return now.Sub(a.time) <= window })
	if old < 0 {
		old = len(e.list)
	}
	e.list = slices.Delete(e.list, 0, old)
	e.last = now
	if n := len(e.list); n > 0 && now.Sub(e.list[n-1].time) < window/endsKept {
		e.list[n-1].count++
		return
	}
	e.list = append(e.list, endsAt{now, 1})
}

// count is how many there were within the window.
func (e *ends) count() (n int) {
	for _, a := range e.list {
		n += a.count
	}
	return n
}
