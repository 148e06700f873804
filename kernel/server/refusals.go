package server

import (
	"sync"
	"time"
)

// Refusals are logged once in a second: whoever may not connect must not fill the disk.
type refusals struct {
	mu   sync.Mutex // guards what follows
	last time.Time
	more int // that were not logged since then
}

const refusalsEvery = time.Second

// next reports whether one is to be logged, and how many were not before it.
func (r *refusals) next(now time.Time) (log bool, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.last) < refusalsEvery {
		r.more++
		return false, 0
	}
	more = r.more
	r.last, r.more = now, 0
	return true, more
}
