package process

import (
	"context"
	"slices"
	"sync"
	"time"
)

// DefaultInterval is how often Monitor measures, if it is not told.
const DefaultInterval = 100 * time.Millisecond

// A watch is who wants measurements, and how often.
type watch struct {
	mu      sync.Mutex
	wishes  []*time.Duration
	changed chan struct{} // tells the sampler; nil if there is none
	ended   bool
}

// Monitor has hear called with measurements of the process, as events of topic "stat", every interval; 0: DefaultInterval.
// It returns what ends that.
//
// There is one sampler for all who monitor a process, as often as the most eager of them wants; it ends with the last of
// them, or with the process. The CPU of a sample is that since the one before.
func (p *Process) Monitor(interval time.Duration, hear func(Event)) (cancel func(), err error) {
	if _, err := p.alive(); err != nil {
		return nil, err
	}
	if interval <= 0 {
		interval = DefaultInterval
	}
	w := &p.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return nil, ErrDone
	}
	unhear := p.Subscribe(TopicStat, hear)
	wish := &interval
	w.wishes = append(w.wishes, wish)
	if w.changed == nil {
		w.changed = make(chan struct{}, 1)
		changed := w.changed
		p.stopped.Go(func() { p.sample(changed) })
	} else {
		w.tell()
	}
	return func() {
		unhear()
		w.mu.Lock()
		defer w.mu.Unlock()
		if i := slices.Index(w.wishes, wish); i >= 0 {
			w.wishes = slices.Delete(w.wishes, i, i+1)
			w.tell()
		}
	}, nil
}

// Monitored is how many monitor the process.
func (p *Process) Monitored() int {
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	return len(p.watch.wishes)
}

// tell has the sampler look again. It is called with mu held.
func (w *watch) tell() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// next is how long to wait for the next sample; ok is false if nobody wants one. Then the sampler is gone.
func (w *watch) next() (d time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.wishes) == 0 || w.ended {
		w.changed = nil
		return 0, false
	}
	d = *w.wishes[0]
	for _, wish := range w.wishes {
		d = min(d, *wish)
	}
	return d, true
}

// sample measures until nobody wants that, or there is nothing to measure.
func (p *Process) sample(changed chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		d, ok := p.watch.next()
		if !ok {
			return
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
			if s, err := p.Stats(ctx, 0); err == nil {
				p.publish(Event{Topic: TopicStat, Stats: &s})
			}
		case <-changed:
		case <-p.done:
		}
		t.Stop()
	}
}

// endWatch ends the sampler with the process.
func (p *Process) endWatch() {
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	p.watch.ended = true
	p.watch.wishes = nil
	if p.watch.changed != nil {
		p.watch.tell()
	}
}
