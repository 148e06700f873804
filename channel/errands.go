package channel

import "sync"

// errands are small writes on behalf of the goroutine that reads, which must not write itself: if both sides' readers
// waited for the other to read, neither ever would. They are done in order, by a goroutine that lives while there are any.
type errands struct {
	mu      sync.Mutex // guards what follows
	queue   []func()
	running bool
	stopped bool
	pinging bool
	wg      sync.WaitGroup
}

// maxErrands is how many may wait. Who floods this side with pings gets no more answers.
const maxErrands = 2 * MaxStreams

func (e *errands) do(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped || len(e.queue) >= maxErrands {
		return
	}
	e.queue = append(e.queue, f)
	if !e.running {
		e.running = true
		e.wg.Go(e.run)
	}
}

// once does f, unless the last one is still waiting.
func (e *errands) once(f func()) {
	e.mu.Lock()
	waiting := e.pinging
	e.pinging = true
	e.mu.Unlock()
	if !waiting {
		e.do(func() {
			f()
			e.mu.Lock()
			e.pinging = false
			e.mu.Unlock()
		})
	}
}

func (e *errands) run() {
	for {
		e.mu.Lock()
		if len(e.queue) == 0 || e.stopped {
			e.running = false
			e.mu.Unlock()
			return
		}
		f := e.queue[0]
		e.queue = e.queue[1:]
		e.mu.Unlock()
		f()
	}
}

// stop drops what has not begun.
func (e *errands) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped, e.queue = true, nil
}

func (e *errands) wait() { e.wg.Wait() }
