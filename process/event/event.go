// Package event tells listeners what happens, each event under a topic of words with dots between, such as
// "output.stdout".
//
// A listener asks for one topic, for all below one with a dot at the end ("output."), or for all ("."). Events reach each
// listener in the order in which they were published, in a goroutine of the bus: who publishes never waits. What is not
// yet delivered is bounded: beyond that the oldest event is dropped, and counted. A listener that panics is logged and
// hears nothing more.
package event

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

const (
	// MaxQueue is how many events wait at most, unless Bus.Queue says otherwise.
	MaxQueue = 10_000

	// MaxBytes is how much the waiting events may take together, unless Bus.Bytes says otherwise: 64 MiB.
	MaxBytes = 64 << 20
)

// A Bus passes events of type E on. The zero value is ready; its fields must not change once it is used.
type Bus[E any] struct {
	Queue int                // how many events may wait; 0: MaxQueue
	Bytes int64              // what they may take, as Size tells; 0: MaxBytes
	Size  func(E) int64      // what one takes; nil: nothing
	Log   *slog.Logger       // where a panic of a listener is told; nil: slog.Default
	Name  string             // of who publishes, for the log
	Drop  func(topic string) // called, with the bus locked, for each event that is dropped; may be nil

	mu        sync.Mutex // guards what follows
	listeners []*listener[E]
	queue     []queued[E]
	held      int64
	dropped   uint64
	running   bool
	closed    bool
	idle      chan struct{} // closed when the goroutine has ended; nil if there was none
}

type listener[E any] struct {
	pattern string
	hear    func(topic string, e E)
	once    bool
	gone    bool // guarded by Bus.mu
}

type queued[E any] struct {
	topic string
	event E
	size  int64
}

// Subscribe has hear called with every event that the pattern covers, and returns what ends that. An event that is on its
// way when it ends may still be heard.
func (b *Bus[E]) Subscribe(pattern string, hear func(topic string, e E)) (cancel func()) {
	return b.add(&listener[E]{pattern: pattern, hear: hear})
}

// Once is Subscribe for the first such event alone.
func (b *Bus[E]) Once(pattern string, hear func(topic string, e E)) (cancel func()) {
	return b.add(&listener[E]{pattern: pattern, hear: hear, once: true})
}

func (b *Bus[E]) add(l *listener[E]) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.listeners = append(b.listeners, l)
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.remove(l)
	}
}

func (b *Bus[E]) remove(l *listener[E]) {
	l.gone = true
	if i := slices.Index(b.listeners, l); i >= 0 {
		b.listeners = slices.Delete(slices.Clone(b.listeners), i, i+1)
	}
}

// Covers reports whether a listener for the pattern hears events of the topic.
func Covers(pattern, topic string) bool {
	return pattern == "." || pattern == topic || strings.HasSuffix(pattern, ".") && strings.HasPrefix(topic, pattern)
}

// Heard reports whether somebody listens to a topic.
func (b *Bus[E]) Heard(topic string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.heard(topic)
}

func (b *Bus[E]) heard(topic string) bool {
	return slices.ContainsFunc(b.listeners, func(l *listener[E]) bool { return Covers(l.pattern, topic) })
}

// Publish passes an event on to whoever listens to its topic now. It never waits.
func (b *Bus[E]) Publish(topic string, e E) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !b.heard(topic) {
		return
	}
	q := queued[E]{topic: topic, event: e}
	if b.Size != nil {
		q.size = b.Size(e)
	}
	b.queue = append(b.queue, q)
	b.held += q.size
	for len(b.queue) > 1 && (len(b.queue) > orElse(b.Queue, MaxQueue) || b.held > orElse(b.Bytes, MaxBytes)) {
		b.dropOldest()
	}
	if !b.running {
		b.running = true
		b.idle = make(chan struct{})
		go b.deliver(b.idle, queued[E]{}, nil)
	}
}

func (b *Bus[E]) dropOldest() {
	old := b.queue[0]
	b.queue[0] = queued[E]{}
	b.queue = b.queue[1:]
	b.held -= old.size
	b.dropped++
	if b.Drop != nil {
		b.Drop(old.topic)
	}
}

func orElse[N int | int64](n, otherwise N) N {
	if n <= 0 {
		return otherwise
	}
	return n
}

// deliver passes on what is queued, after what is left of an event, and ends when nothing is. A listener may end its
// goroutine, with runtime.Goexit: then another one goes on.
func (b *Bus[E]) deliver(idle chan struct{}, q queued[E], rest []*listener[E]) {
	well := false
	defer func() {
		if well {
			close(idle)
		} else {
			go b.deliver(idle, q, rest)
		}
	}()
	for {
		for len(rest) > 0 {
			l := rest[0]
			rest = rest[1:]
			if Covers(l.pattern, q.topic) && b.claim(l) {
				b.tell(l, q)
			}
		}
		b.mu.Lock()
		if len(b.queue) == 0 {
			b.queue, b.running = nil, false
			b.mu.Unlock()
			well = true
			return
		}
		q = b.queue[0]
		b.queue[0] = queued[E]{}
		b.queue = b.queue[1:]
		b.held -= q.size
		rest = b.listeners // replaced, never changed
		b.mu.Unlock()
	}
}

// claim reports whether a listener is still one, and takes it off if it hears but once.
func (b *Bus[E]) claim(l *listener[E]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.gone {
		return false
	}
	if l.once {
		b.remove(l)
	}
	return true
}

// tell calls a listener, and takes it off if it panics.
func (b *Bus[E]) tell(l *listener[E], q queued[E]) {
	well := false
	defer func() {
		if well {
			return
		}
		why := recover()
		b.mu.Lock()
		b.remove(l)
		b.mu.Unlock()
		log := b.Log
		if log == nil {
			log = slog.Default()
		}
		log.Error("a listener panicked, or ended its goroutine, and was removed", "of", b.Name, "topic", q.topic, "panic", fmt.Sprint(why),
			"stack", string(debug.Stack()))
	}()
	l.hear(q.topic, q.event)
	well = true
}

// Dropped is how many events were dropped because too many waited.
func (b *Bus[E]) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Close ends publishing: later events, and listeners, are ignored. What is queued is still delivered; Wait waits for that.
func (b *Bus[E]) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if !b.running {
		b.listeners = nil
	}
}

// Wait returns when everything that was published has been delivered. A listener must not call it.
func (b *Bus[E]) Wait() {
	for {
		b.mu.Lock()
		idle, running := b.idle, b.running
		b.mu.Unlock()
		if idle == nil {
			return
		}
		<-idle
		if !running {
			return
		}
	}
}
