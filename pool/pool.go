// Package pool keeps a few workers warm for many calls, and for many commands of many processes.
//
//	p, err := pool.Open(ctx, pool.Options{Via: transport.Sudo{}, Size: 4})
//	if err != nil {
//		return err
//	}
//	defer p.Close()
//	err = chown.On(p)("/srv/app", 33, 33)
//
// A [Pool] is a courier: each call gets a worker, or waits for one in the order in which calls came. Workers that hang,
// die, or have done their share are replaced; the call that was in such a worker fails with its own error, and is
// repeated only if its function is known not to have started. [Pool.Session] is a worker for oneself.
//
// [Serve] offers the workers of a small process on a unix socket, so that large processes need not fork, and [Dial] is the
// way there: [Client.Run] runs a command, [Client.Command] starts one. [Rule] says who may run what.
package pool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/session"
)

// A Pool is a few warm workers. It is safe for concurrent use.
type Pool struct {
	options Options
	life    context.Context // ends when workers that are not up yet are given up
	end     context.CancelFunc
	wake    chan struct{} // for who tends the pool
	work    sync.WaitGroup
	closing sync.Once
	closed  error // what Close returns

	mu       sync.Mutex // guards what follows
	size     int
	min      int
	workers  []*worker // those that start or serve; the one that served last is last
	waiting  []*request
	numbers  int       // of workers
	load     int       // calls and sessions that have a worker, lost ones included
	failures int       // starts that failed since the last one that did not
	vain     int       // of these, those that have not failed a call, and that no worker which serves makes good
	retry    time.Time // before then no worker is started that nobody waits for
	over     bool      // no more calls
	idle     chan struct{}
	count    counts
}

// Open starts the workers that are to be kept ready. The context is for that alone. The error is that of the first worker
// that could not be started.
func Open(ctx context.Context, o Options) (*Pool, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	p := &Pool{options: o, size: o.Size, min: o.Min, wake: make(chan struct{}, 1)}
	p.count.replaced = map[string]int64{}
	p.life, p.end = context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, p.end)
	if err := p.open(); err != nil {
		p.end()
		_ = p.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	if !stop() {
		_ = p.Close()
		return nil, ctx.Err()
	}
	p.work.Go(p.tend)
	return p, nil
}

// open starts the first workers, all at once.
func (p *Pool) open() error {
	errs := make(chan error, p.min)
	p.mu.Lock()
	for range p.min {
		p.start(func(err error) { errs <- err })
	}
	p.mu.Unlock()
	var all error
	for range p.options.Min {
		all = errors.Join(all, <-errs)
	}
	return first(all)
}

// first is the first of joined errors: the others say the same.
func first(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 {
		return many.Unwrap()[0]
	}
	return err
}

// maxRepeats is how often a call is given to another worker because its function did not start.
const maxRepeats = 3

// Deliver has a worker run a function and returns the reply. It waits for a worker that is free, in the order of calls, as
// long as ctx says. The error is a *box.DeliveryError; in it may be a *[FullError], a *[TimeoutError], [ErrClosed] or
// [ErrSpent], and what session.Session.Deliver gives.
func (p *Pool) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	for repeats := 0; ; repeats++ {
		k, err := p.acquire(ctx, request{box: b, first: repeats == 0})
		if err != nil {
			return nil, err
		}
		r, err := p.deliver(ctx, k, b, nil)
		if err == nil && p.hold(r, k) {
			return r, nil
		}
		p.release(k)
		if repeats < maxRepeats && repeatable(ctx, b, r, err) {
			p.noteRepeat()
			continue
		}
		return r, err
	}
}

// deliver gives a call to a worker, for as long as a task may take. When its time is over, late is called beside it, unless it
// is nil.
func (p *Pool) deliver(ctx context.Context, k *worker, b *box.Box, late func()) (*box.Reply, error) {
	limit := p.options.TaskTimeout
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	if deadline, ok := ctx.Deadline(); ok { // the call may have waited, and its function is to know what is left
		mine := *b
		mine.Timeout = max(time.Until(deadline), 1)
		b = &mine
	}
	begun := time.Now()
	over := make(chan time.Time, 1)
	stop := context.AfterFunc(ctx, func() {
		k.late.Add(1)
		over <- time.Now()
		if late != nil {
			late()
		}
	})
	r, err := k.session.Deliver(ctx, b)
	if !stop() {
		p.afterwards(k, <-over)
	}
	if err != nil && ctx.Err() != nil {
		if d := (*box.DeliveryError)(nil); limit > 0 && time.Since(begun) >= limit && errors.As(err, &d) {
			late := *d
			late.Err = &TimeoutError{After: limit, Err: d.Err}
			err = &late
		}
	}
	if err == nil && r.Refusal.Ending() {
		k.ending.Store(true)
	}
	p.noteCall(err)
	return r, err
}

// afterwards looks at a worker whose call has ended some time after it should. One that needed much of the grace may be about
// to end, as it would have been if it had needed all of it, and gets no more calls.
func (p *Pool) afterwards(k *worker, should time.Time) {
	switch grace := or(p.options.Session.Grace, time.Second); {
	case !k.session.Alive():
	case time.Since(should) < grace/2:
		k.late.Add(-1)
	default:
		k.ending.Store(true)
	}
}

// repeatable reports whether a call may be given to another worker: it needs one, and nothing of it has happened.
func repeatable(ctx context.Context, b *box.Box, r *box.Reply, err error) bool {
	if ctx.Err() != nil || len(b.Live) > 0 {
		return false
	}
	if err == nil {
		return r.Refusal.Ending()
	}
	var d *box.DeliveryError
	return errors.As(err, &d) && d.Fate == box.NotStarted && errors.Is(err, session.ErrLost)
}

// Drain takes no more calls, and waits until those that run or wait have ended, or ctx has; then it returns its error.
// Close is still to be called.
func (p *Pool) Drain(ctx context.Context) error {
	p.mu.Lock()
	p.over = true
	if p.idle == nil {
		p.idle = make(chan struct{})
		p.settle()
	}
	done := p.idle
	p.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close takes no more calls, waits for those that run as long as Options.Drain says, and ends all workers, and with them
// calls that are still there. The error says which workers did not end when they were asked to; see session.CloseError.
func (p *Pool) Close() error {
	p.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), max(p.options.Drain, 0))
		_ = p.Drain(ctx)
		cancel()
		p.end()
		p.mu.Lock()
		for _, r := range p.waiting {
			r.ready <- given{err: p.failed(r.function(), "start", ErrClosed)}
		}
		p.waiting = nil
		for len(p.workers) > 0 {
			p.retire(p.workers[0], "")
		}
		p.mu.Unlock()
		p.work.Wait()
		p.mu.Lock()
		p.closed = errors.Join(p.count.closeErrors...)
		p.mu.Unlock()
	})
	return p.closed
}

// settle tells who drains the pool that nothing is left. It is called with p.mu held.
func (p *Pool) settle() {
	if p.idle == nil || len(p.waiting) > 0 || p.load > 0 {
		return
	}
	select {
	case <-p.idle:
	default:
		close(p.idle)
	}
}
