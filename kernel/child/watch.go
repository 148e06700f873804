package child

import (
	"context"
	"io"
	"sync"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// A Watch shows a consumer what processes print, and how they end. What it has shown stays until it is acknowledged: a
// consumer that ends before that sees it again. One goroutine uses a Watch.
type Watch struct {
	table    *Table
	owner    int
	patterns []name.Pattern
	set      name.Set // of the patterns
	consumer string
	follow   bool
	ready    chan struct{} // something has changed; has room for one

	seen  map[*process]*taken // all that are watched, and how far the consumer is
	shown []shown             // by the last Next

	mu    sync.Mutex            // guards what follows
	dirty []*process            // may have something new
	queue map[*process]struct{} // the same, as a set
}

type shown struct {
	process *process
	batch   batch
}

// Watch begins to watch the processes that the patterns name. An exact name that is nobody's is an error, and so is a set
// without any process. With follow, it shows also processes that are made later, and never ends.
func (t *Table) Watch(owner int, patterns []name.Pattern, consumer string, follow bool) (*Watch, error) {
	w := &Watch{table: t, owner: owner, patterns: patterns, set: name.SetOf(patterns), consumer: consumer, follow: follow,
		ready: make(chan struct{}, 1), seen: map[*process]*taken{}, queue: map[*process]struct{}{}}
	list, err := t.match(owner, patterns, follow)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && !follow {
		return nil, kernel.Errorf(kernel.NotFound, "Nothing to watch")
	}
	for _, p := range list {
		if err := w.add(p); err != nil {
			w.Close()
			return nil, err
		}
	}
	if follow {
		t.addFollower(w) // processes that came meanwhile, too
	}
	return w, nil
}

// add begins to watch a process.
func (w *Watch) add(p *process) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.seen[p] != nil || p.gone || p.removed {
		return nil
	}
	c, err := p.consumer(w.consumer)
	if err != nil {
		return err
	}
	w.seen[p] = c
	p.subs[w] = struct{}{}
	w.wake(p)
	return nil
}

// Len is how many processes are watched.
func (w *Watch) Len() int { return len(w.seen) }

// wake says that a process may have something new.
func (w *Watch) wake(p *process) {
	w.mu.Lock()
	if _, twice := w.queue[p]; !twice {
		w.dirty, w.queue[p] = append(w.dirty, p), struct{}{}
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// Left reports whether there is something left to watch: a process that runs, or that has something to take.
func (w *Watch) Left() bool {
	if w.follow {
		return true
	}
	for p, c := range w.seen {
		if !p.done(c) {
			return true
		}
	}
	return false
}

// done reports whether there is nothing more for a consumer.
func (p *process) done(c *taken) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone || p.removed || c.Exit && p.closed()
}

// Next waits until there is something to show that is not acknowledged, and returns it: the same again, if it was not
// acknowledged. The error is io.EOF when nothing is left to watch, or the context's.
func (w *Watch) Next(ctx context.Context) ([]Event, error) {
	for {
		if events, err := w.Now(); len(events) > 0 || err != nil {
			return events, err
		}
		select {
		case <-w.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Now is Next that does not wait: there may be nothing.
func (w *Watch) Now() ([]Event, error) {
	for _, s := range w.shown { // not acknowledged
		w.wake(s.process)
	}
	w.shown = nil
	events, err := w.gather()
	if len(events) == 0 && err == nil && !w.Left() {
		err = io.EOF
	}
	return events, err
}

// Ready is for a select: something comes when Now may have something.
func (w *Watch) Ready() <-chan struct{} { return w.ready }

// A Shown is what a consumer has been shown of one process, and has not acknowledged.
type Shown struct {
	Name string
	PID  int
	Pos  uint64
	Exit bool
}

// Shown is what Next showed last, so that a Watch of the next program can go on, see Resume.
func (w *Watch) Shown() []Shown {
	var list []Shown
	for _, s := range w.shown {
		list = append(list, Shown{s.process.spec.Name, int(s.process.pid.Load()), s.batch.pos, s.batch.exit})
	}
	return list
}

// Resume has a new Watch be as one that has shown this: Acknowledge acknowledges it.
func (w *Watch) Resume(list []Shown) {
	for _, s := range list {
		for p := range w.seen {
			if p.spec.Name == s.Name && int(p.pid.Load()) == s.PID {
				w.shown = append(w.shown, shown{p, batch{pos: s.Pos, exit: s.Exit}})
			}
		}
	}
}

// gather collects what there is, as much as fits in a batch.
func (w *Watch) gather() (all []Event, err error) {
	left := int64(mostBatch)
	w.mu.Lock()
	dirty := w.dirty
	w.dirty = nil
	clear(w.queue)
	w.mu.Unlock()
	for _, p := range dirty {
		if left <= 0 {
			w.wake(p) // for the next time
			continue
		}
		c := w.seen[p]
		if c == nil {
			if err := w.add(p); err != nil {
				return all, err
			}
			if c = w.seen[p]; c == nil {
				continue
			}
		}
		b, err := p.look(c, left)
		if err != nil {
			return all, err
		}
		if len(b.events) > 0 {
			all = append(all, b.events...)
			left -= b.size
			b.events = nil // to acknowledge them takes no more than how far they go
			w.shown = append(w.shown, shown{p, b})
		} else if p.done(c) && w.follow {
			w.leave(p)
		}
	}
	return all, nil
}

// Acknowledge says that the consumer has what Next showed last. It does not come again.
func (w *Watch) Acknowledge() error {
	list := w.shown
	w.shown = nil
	for i, s := range list {
		if err := s.process.take(w.seen[s.process], s.batch); err != nil {
			w.shown = list[i:]
			return err
		}
		w.wake(s.process) // there may be more
	}
	return nil
}

func (w *Watch) leave(p *process) {
	p.mu.Lock()
	delete(p.subs, w)
	p.mu.Unlock()
	delete(w.seen, p)
}

// Close ends the watch. What was not acknowledged stays.
func (w *Watch) Close() {
	w.table.removeFollower(w)
	for p := range w.seen {
		w.leave(p)
	}
}
