package server

import (
	"errors"
	"fmt"
	"sync"
)

// errGaveWay is why a connection ends whose place somebody else got.
var errGaveWay = errors.New("it said nothing while others waited for its place")

// places are the connections that there may be. A guest has half of them at most, so that one alone keeps nobody out; and
// who has not said yet what they want gives way to who comes: who means it needs moments for that.
type places struct {
	all int // how many there may be

	mu    sync.Mutex // guards what follows
	taken int
	of    map[string]int // how many somebody has
	idle  []*place       // of those who have said nothing, the oldest first
}

// A place is that of one connection.
type place struct {
	places *places
	who    string
	guest  bool
	yield  func() // has the connection end
	left   bool   // guarded by places.mu
}

// half is what a guest may have.
func (p *places) half() int { return (p.all + 1) / 2 }

// take takes a place. Yield is called, at most once and with a lock held, if it is given to somebody else before settle.
func (p *places) take(who string, guest bool, yield func()) (*place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch full, over := p.taken >= p.all, guest && p.of[who] >= p.half(); {
	case over && !p.clear(func(o *place) bool { return o.who == who }) && !full:
		return nil, fmt.Errorf("%d connections of yours are open, and one caller has at most half of the %d that there may be", p.of[who], p.all)
	case full && !over && !p.clear(p.below(who, guest)), p.taken >= p.all:
		return nil, fmt.Errorf("%d connections are open, which is all that there may be", p.taken)
	}
	pl := &place{places: p, who: who, guest: guest, yield: yield}
	p.taken++
	p.of[who]++
	p.idle = append(p.idle, pl)
	return pl, nil
}

// below are the connections that give way to somebody when all places are taken: those of the guest who has the most of them that
// say nothing. To a guest only if that one has as many as itself; to the others also their own, if no guest has any.
func (p *places) below(who string, guest bool) func(*place) bool {
	most, least := 0, 1
	if guest {
		least = max(p.of[who], 1)
	}
	for _, o := range p.idle {
		if o.guest {
			most = max(most, p.of[o.who])
		}
	}
	return func(o *place) bool {
		if most < least {
			return !guest
		}
		return o.guest && p.of[o.who] == most
	}
}

// clear has the oldest connection give way that has said nothing and is one of those, if there is one.
func (p *places) clear(those func(*place) bool) bool {
	for _, o := range p.idle {
		if those(o) {
			p.release(o)
			o.yield()
			return true
		}
	}
	return false
}

// release gives a place back, once. It is called with p.mu held.
func (p *places) release(pl *place) {
	if pl.left {
		return
	}
	pl.left = true
	p.taken--
	if p.of[pl.who]--; p.of[pl.who] == 0 {
		delete(p.of, pl.who)
	}
	p.quiet(pl)
}

// quiet takes a place off the list of those who have said nothing. It is called with p.mu held.
func (p *places) quiet(pl *place) {
	for i, o := range p.idle {
		if o == pl {
			p.idle = append(p.idle[:i:i], p.idle[i+1:]...)
			return
		}
	}
}

// settle says that a connection has said what it wants, and reports whether the place is still its own. Then it stays so.
func (pl *place) settle() bool {
	pl.places.mu.Lock()
	defer pl.places.mu.Unlock()
	pl.places.quiet(pl)
	return !pl.left
}

// leave gives the place back.
func (pl *place) leave() {
	pl.places.mu.Lock()
	defer pl.places.mu.Unlock()
	pl.places.release(pl)
}

// count is how many places are taken.
func (p *places) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
