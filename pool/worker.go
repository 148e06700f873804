package pool

import (
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/session"
)

// Why workers are replaced, in [Stats] and in the log.
const (
	ReplacedSpent    = "spent"      // it has served MaxTasksPerWorker
	ReplacedHung     = "hung"       // its call was cancelled or took too long, and did not end
	ReplacedLost     = "lost"       // it died, or the way to it broke
	ReplacedIdle     = "idle"       // it was above Min, and had nothing to do for IdleTimeout
	ReplacedScaled   = "scaled"     // Scale said that there are to be fewer
	ReplacedSession  = "session"    // a Session had it for itself
	ReplacedForOther = "other user" // it has served another user than who waits
)

// A worker is one session of a pool. All but session, once it is set, and late is guarded by Pool.mu.
type worker struct {
	number  int
	session *session.Session // nil while it starts
	load    int              // calls and sessions that have it
	tasks   int              // that it has got
	alone   bool             // the one that has it shares it with nobody
	tenant  int              // for whom it worked last
	rested  time.Time        // since when it has nothing to do
	closing bool             // its Session ends it
	ending  atomic.Bool      // it has said that it takes no more calls
	late    atomic.Int32     // calls whose time is over, and that have not ended; if it is lost then, that is why
}

// takes reports whether a worker that has come up takes calls.
func (k *worker) takes() bool { return k.session.Alive() && !k.ending.Load() }

// start starts a worker. done, if given, is told what came of it. It is called with p.mu held.
func (p *Pool) start(done func(error)) {
	p.numbers++
	k := &worker{number: p.numbers}
	p.workers = slices.Insert(p.workers, 0, k)
	p.work.Go(func() {
		begun := time.Now()
		s, err := session.Open(p.life, p.options.worker())
		if err == nil {
			p.entitle(p.life, s, k.number)
		}
		p.started(k, s, err)
		if err == nil {
			p.options.Log.Debug("pool: worker started", "worker", k.number, "took", time.Since(begun).Round(time.Microsecond).String())
		}
		if done != nil {
			done(err)
		}
	})
}

// started takes in a worker that has come up, or has not.
func (p *Pool) started(k *worker, s *session.Session, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.workers, k)
	if err != nil {
		if i >= 0 {
			p.workers = slices.Delete(p.workers, i, i+1)
			p.unstartable(k, err)
		}
		p.settle()
		return
	}
	p.failures, p.vain = 0, 0
	p.count.started++
	k.session, k.rested = s, time.Now()
	if i < 0 { // the pool is closed
		p.endWorker(k)
		return
	}
	p.work.Go(func() { p.watch(k) })
	p.dispatch()
	p.nudge()
}

// unstartable notes that a worker could not be started. If no other one is there, or comes, those who wait have waited in
// vain: each start that failed fails one of them, and others are tried for the next. It is called with p.mu held.
func (p *Pool) unstartable(k *worker, err error) {
	p.failures++
	p.count.unstarted++
	p.retry = time.Now().Add(min(100*time.Millisecond<<min(p.failures, 8), 10*time.Second))
	if p.life.Err() == nil {
		p.options.Log.Warn("pool: a worker cannot be started", "worker", k.number, "why", err.Error())
	}
	if p.vain++; p.coming() < len(p.workers) {
		p.vain = 0
	}
	if len(p.workers) == 0 {
		n := min(p.vain, len(p.waiting))
		for _, r := range p.waiting[:n] {
			r.ready <- given{err: p.failed(r.function(), "start", err)}
		}
		p.waiting, p.vain = slices.Delete(p.waiting, 0, n), 0
		p.dispatch()
	}
	p.nudge()
}

// resting reports whether a start would be too soon after one that failed. With no worker at all every call tries. It is
// called with p.mu held.
func (p *Pool) resting() bool {
	return p.failures > 0 && len(p.workers) > 0 && time.Now().Before(p.retry)
}

// watch sees when a worker is lost, and makes place for another one: who has it may hold it for long, to read a result to its
// end for instance.
func (p *Pool) watch(k *worker) {
	<-k.session.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.workers, k) && !k.closing {
		p.retire(k, p.why(k))
		p.dispatch()
		p.nudge()
	}
}

// why is the reason to replace a worker; "" if there is none. It is called with p.mu held.
func (p *Pool) why(k *worker) string {
	switch {
	case !k.takes() && k.late.Load() > 0:
		return ReplacedHung
	case !k.takes():
		return ReplacedLost
	case p.spent(k):
		return ReplacedSpent
	}
	return ""
}

// reason is why a session's worker is replaced, which its Close does now.
func (p *Pool) reason(k *worker) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if why := p.why(k); why == ReplacedLost || why == ReplacedHung {
		return why
	}
	k.closing = true
	return ReplacedSession
}

// release takes a worker back.
func (p *Pool) release(k *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(k)
	p.returned(k, p.why(k))
}

// leave is the end of somebody's use of a worker. It is called with p.mu held.
func (p *Pool) leave(k *worker) {
	k.load--
	p.load--
}

// untouched takes a worker back that got nothing to do.
func (p *Pool) untouched(k *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(k)
	k.tasks--
	p.returned(k, p.why(k))
}

// returned goes on with a worker that somebody has given back, or ends it for a reason. It is called with p.mu held.
func (p *Pool) returned(k *worker, reason string) {
	switch {
	case k.load > 0:
	case !slices.Contains(p.workers, k): // the pool is closed, or it is lost
	case reason != "":
		p.retire(k, reason)
	case p.serving() > p.size:
		p.retire(k, ReplacedScaled)
	default:
		k.alone, k.rested = false, time.Now()
	}
	p.dispatch()
	p.nudge()
	p.settle()
}

func (p *Pool) serving() int { return len(p.workers) }

// retire ends a worker. It is called with p.mu held.
func (p *Pool) retire(k *worker, reason string) {
	i := slices.Index(p.workers, k)
	p.workers = slices.Delete(p.workers, i, i+1)
	if reason != "" {
		p.count.replaced[reason]++
		p.options.Log.Info("pool: worker ends", "worker", k.number, "because", reason, "tasks", k.tasks)
	}
	if k.session != nil { // else it is ended when it has come up
		p.endWorker(k)
	}
}

// endWorker closes a worker's session. It is called with p.mu held.
func (p *Pool) endWorker(k *worker) {
	p.work.Go(func() {
		if err := k.session.Close(); err != nil {
			p.options.Log.Warn("pool: worker did not end when it was asked to", "worker", k.number, "why", err.Error())
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.count.closeErrors) < 16 {
				p.count.closeErrors = append(p.count.closeErrors, fmt.Errorf("pool: worker %d: %w", k.number, err))
			}
		}
	})
}

// hold reports whether a reply has live results, which need the worker after the call. It is then given back when the
// last of them has ended. Whoever gets an error besides does not look at them.
func (p *Pool) hold(r *box.Reply, k *worker) bool {
	if r.Fault != nil || r.Refusal != nil {
		return false
	}
	open := &sync.WaitGroup{}
	held := false
	for i, v := range r.Live {
		if !v.Value.IsValid() || v.Value.IsNil() {
			continue
		}
		switch live := v.Value.Interface().(type) {
		case *os.File: // it is this process's own by now
		case io.ReadCloser:
			held = true
			open.Add(1)
			wrapped := reflect.New(v.Value.Type()).Elem()
			wrapped.Set(reflect.ValueOf(newResult(live, open.Done)))
			r.Live[i].Value = wrapped
		case interface{ Wait(context.Context) error }: // a typed channel
			held = true
			open.Go(func() { _ = live.Wait(context.Background()) }) // it ends with the session at the latest
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !held || !slices.Contains(p.workers, k) { // of a pool that is closed, they are at their end
		return false
	}
	p.work.Go(func() {
		open.Wait()
		p.release(k)
	})
	return true
}

// A result is a live result that tells when it is at its end, which closes it.
type result struct {
	io.ReadCloser
	close func() error
}

func newResult(r io.ReadCloser, done func()) *result {
	return &result{r, sync.OnceValue(func() error {
		defer done()
		return r.Close()
	})}
}

func (r *result) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if err != nil {
		_ = r.close()
	}
	return n, err
}

func (r *result) Close() error { return r.close() }
