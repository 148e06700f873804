package worker

import "sync/atomic"

// maxIdle is how many goroutines are kept for calls to come.
const maxIdle = 64

// runners are goroutines that run calls, one after the other: a new one for each call would have to grow its stack anew
// each time, which takes longer than the rest of a short call. They end with the process.
type runners struct {
	work chan func()
	idle atomic.Int32
}

// run has f run by a runner that is idle, or by a new one.
func (r *runners) run(f func()) {
	select {
	case r.work <- f:
	default:
		go r.loop(f)
	}
}

// loop runs f and whatever comes after it. A function that ends its goroutine ends this one.
func (r *runners) loop(f func()) {
	for {
		f()
		if r.idle.Add(1) > maxIdle {
			r.idle.Add(-1)
			return
		}
		f = <-r.work
		r.idle.Add(-1)
	}
}
