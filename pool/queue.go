package pool

import (
	"context"
	"slices"

	"github.com/seed354a1416/deliveryboy/box"
)

// A request is somebody who wants a worker.
type request struct {
	box    *box.Box // that is to be delivered; nil for a session
	first  bool     // it counts: it is no repetition
	alone  bool     // nobody else is to have the worker meanwhile
	tenant int      // who it is for, above 0; a worker that has served another one is not given to it
	waits  func()   // is called if there is no worker at once; may be nil
	ready  chan given
}

// given is what a request gets.
type given struct {
	worker *worker
	err    error
}

func (r *request) function() string {
	if r.box == nil {
		return ""
	}
	return r.box.Func
}

// acquire returns a worker that is free, with the place taken; [Pool.release] gives it back. The error is a
// *box.DeliveryError.
func (p *Pool) acquire(ctx context.Context, r request) (*worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, p.failed(r.function(), "start", err)
	}
	r.ready = make(chan given, 1)
	if err := p.enqueue(&r); err != nil {
		return nil, p.failed(r.function(), "start", err)
	}
	select {
	case g := <-r.ready:
		return g.worker, g.err
	default:
		if r.waits != nil {
			r.waits()
		}
	}
	select {
	case g := <-r.ready:
		return g.worker, g.err
	case <-ctx.Done():
	}
	if !p.withdraw(&r) { // it was given in this very moment
		if g := <-r.ready; g.worker != nil {
			p.untouched(g.worker)
		}
	}
	return nil, p.failed(r.function(), "start", ctx.Err())
}

// enqueue takes in a request, or says why not.
func (p *Pool) enqueue(r *request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over:
		return ErrClosed
	case r.first && p.options.MaxCalls > 0 && p.count.taken >= p.options.MaxCalls:
		return ErrSpent
	}
	if len(p.waiting) == 0 {
		if k := p.free(r); k != nil {
			p.give(r, k)
			return nil
		}
	}
	// Those who wait for a worker that is being started need no place in the queue: it is theirs.
	if waits := len(p.waiting) - (p.coming()+p.room())*p.options.Concurrency; waits >= max(p.options.Queue, 0) {
		return &FullError{Waiting: max(waits, 0), Workers: len(p.workers)}
	}
	if r.first {
		p.count.taken++
	}
	p.waiting = append(p.waiting, r)
	p.dispatch()
	return nil
}

// coming is the number of workers that start, room of those that may be started. They are called with p.mu held.
func (p *Pool) coming() (n int) {
	for _, k := range p.workers {
		if k.session == nil {
			n++
		}
	}
	return n
}

func (p *Pool) room() int { return max(p.size-len(p.workers), 0) }

// withdraw takes back a request that waits; it is false if that is too late.
func (p *Pool) withdraw(r *request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, r)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	p.dispatch()
	p.settle()
	return true
}

// give gives a worker to a request. It is called with p.mu held.
func (p *Pool) give(r *request, k *worker) {
	if r.first && !slices.Contains(p.waiting, r) {
		p.count.taken++
	}
	k.load++
	p.load++
	k.tasks++
	k.alone, k.tenant = r.alone, r.tenant
	i := slices.Index(p.workers, k)
	copy(p.workers[i:], p.workers[i+1:])
	p.workers[len(p.workers)-1] = k
	r.ready <- given{worker: k}
}

// dispatch gives workers to those who wait, the first one first, and starts more if that is not enough. It is called with
// p.mu held.
func (p *Pool) dispatch() {
	for len(p.waiting) > 0 {
		r := p.waiting[0]
		k := p.free(r)
		if k == nil {
			p.makeRoom(r)
			break
		}
		p.give(r, k)
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
	for need := len(p.waiting) - p.coming()*p.options.Concurrency; need > 0 && p.room() > 0 && !p.resting(); need -= p.options.Concurrency {
		p.start(nil)
	}
}

// free is a worker that takes the request; nil if there is none now. It is called with p.mu held.
func (p *Pool) free(r *request) *worker {
	for _, k := range slices.Backward(p.workers) {
		if p.serves(k, r) {
			return k
		}
	}
	return nil
}

// serves reports whether a worker takes a request. It is called with p.mu held.
func (p *Pool) serves(k *worker, r *request) bool {
	switch {
	case k.session == nil || k.alone && k.load > 0 || !k.takes():
		return false
	case r.alone && k.load > 0 || k.load >= p.options.Concurrency || p.spent(k):
		return false
	}
	return k.tasks == 0 || k.tenant == r.tenant
}

// wanted reports whether somebody waits for a worker.
func (p *Pool) wanted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting) > 0
}

func (p *Pool) spent(k *worker) bool {
	return p.options.MaxTasksPerWorker > 0 && k.tasks >= p.options.MaxTasksPerWorker
}

// makeRoom ends a worker that is idle, and that the request may not have, where there is no room for one that it may. It is
// called with p.mu held.
func (p *Pool) makeRoom(r *request) {
	if p.room() > 0 || p.coming() > 0 {
		return
	}
	for _, k := range p.workers {
		if k.load == 0 && k.session != nil && k.tenant != r.tenant {
			p.retire(k, ReplacedForOther)
			return
		}
	}
}
