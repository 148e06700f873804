// Package event tells what happens in a kernel: that a socket, a value or a process was made, has changed, or is gone.
//
// Events are told to those who watch at the time, and kept only for as long as one of them may be behind: each user has a
// ring of the last [Ring] events, and each watch is a place in it. Who is farther behind has missed some, and is told how many.
package event

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// Ring is how many events of one user are kept for those who watch.
const Ring = 4096

// What things are called in events.
const (
	Socket  = "socket"
	Value   = "value"
	Process = "process"
)

// An Event is something that has happened to one thing.
type Event struct {
	Kind string // Socket, Value or Process
	Name string
	What string // "make", "remove", "set", "start", "exit" …
	At   time.Time
	More string // KEY=VALUE words, if there is more to say
}

// Topic is what patterns are about: process.web.exit.
func (e *Event) Topic() string { return e.Kind + "." + e.Name + "." + e.What }

// A Hub has all events of a kernel. Many goroutines may use it. The nil Hub tells nobody.
type Hub struct {
	mu     sync.Mutex // guards what follows
	owners map[int]*ring
}

// A ring is the last events of one user. Events have numbers; the next one is the count of those before.
type ring struct {
	events  []Event
	next    uint64
	watches map[*Watch]struct{}
}

// NewHub makes a hub.
func NewHub() *Hub { return &Hub{owners: map[int]*ring{}} }

// Tell tells that something has happened. It never waits for those who watch.
func (h *Hub) Tell(owner int, kind, text, what, more string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.owners[owner]
	if r == nil { // nobody watches
		return
	}
	e := Event{Kind: kind, Name: text, What: what, At: time.Now(), More: more}
	if len(r.events) < Ring {
		r.events = append(r.events, e)
	} else {
		r.events[r.next%Ring] = e
	}
	r.next++
	for w := range r.watches {
		select {
		case w.ready <- struct{}{}:
		default:
		}
	}
}

// A Watch is a place among the events of a user. One goroutine uses it.
type Watch struct {
	hub    *Hub
	owner  int
	ring   *ring
	filter filter
	next   uint64
	ready  chan struct{} // has room for one
}

// Watch begins to watch.
func (h *Hub) Watch(owner int, patterns []Pattern) *Watch {
	f := newFilter(patterns)
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.owners[owner]
	if r == nil {
		r = &ring{watches: map[*Watch]struct{}{}}
		h.owners[owner] = r
	}
	w := &Watch{hub: h, owner: owner, ring: r, filter: f, next: r.next, ready: make(chan struct{}, 1)}
	r.watches[w] = struct{}{}
	return w
}

// Ready is for a select: something comes when Next may have something.
func (w *Watch) Ready() <-chan struct{} { return w.ready }

// Next returns the events that have come since the last call, at most most of those that are watched, and how many are
// missed before them, of all kinds.
func (w *Watch) Next(most int) (events []Event, missed uint64) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	r := w.ring
	if first := r.next - uint64(len(r.events)); w.next < first {
		missed = first - w.next
		w.next = first
	}
	for ; w.next < r.next && len(events) < most; w.next++ {
		if e := r.events[w.next%Ring]; w.filter.match(&e) {
			events = append(events, e)
		}
	}
	if w.next < r.next {
		select {
		case w.ready <- struct{}{}:
		default:
		}
	}
	return events, missed
}

// Close ends the watch.
func (w *Watch) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	delete(w.ring.watches, w)
	if len(w.ring.watches) == 0 {
		delete(w.hub.owners, w.owner)
	}
}

// A Pattern says which events are watched: KIND.NAME.WHAT, of which the name may be a pattern and the others a star; what is
// left out at the end is a star.
type Pattern struct {
	kind, what string // "*" is any
	name       name.Pattern
}

var errPattern = errors.New("a pattern of events is KIND.NAME.WHAT, such as process.web.exit or value.*.*; the kinds are socket, value and process")

// Parse reads a pattern: "*", "process.*", "process.web", "process.web.exit", "process.app.*.exit".
func Parse(text string) (Pattern, error) {
	p := Pattern{what: "*"}
	kind, rest, _ := strings.Cut(text, ".")
	if kind != Socket && kind != Value && kind != Process && kind != "*" {
		return p, errPattern
	}
	p.kind = kind
	if rest == "" || rest == "*" {
		rest = "*.*"
	}
	// The last word is what happened if it is one of those, or a star behind a name.
	if at := strings.LastIndexByte(rest, '.'); at > 0 && (whats[rest[at+1:]] || rest[at+1:] == "*") {
		rest, p.what = rest[:at], rest[at+1:]
	}
	var err error
	if p.name, err = name.Parse("event", rest); err != nil {
		return p, errPattern
	}
	return p, nil
}

// whats is all that happens.
var whats = map[string]bool{"make": true, "remove": true, "set": true, "clear": true, "start": true, "signal": true, "stop": true, "exit": true, "forget": true}

// A filter is patterns made ready for many events: the names of those with the same kind and what, which may be stars.
type filter map[[2]string]name.Set

func newFilter(patterns []Pattern) filter {
	lists := map[[2]string][]name.Pattern{}
	for _, p := range patterns {
		k := [2]string{p.kind, p.what}
		lists[k] = append(lists[k], p.name)
	}
	f := filter{}
	for k, list := range lists {
		f[k] = name.SetOf(list)
	}
	return f
}

func (f filter) match(e *Event) bool {
	for _, kind := range [...]string{e.Kind, "*"} {
		for _, what := range [...]string{e.What, "*"} {
			if f[[2]string{kind, what}].Match(e.Name) {
				return true
			}
		}
	}
	return false
}
