package server

import (
	"sync"
	"sync/atomic"
)

// A crew is the goroutines that carry out slow commands. One that has done so waits for the next command: its stack has been
// made long enough. More than a few do not wait.
type crew struct {
	jobs chan func() // nobody waits for somebody to take one
	idle atomic.Int32
	work sync.WaitGroup
}

// mostIdle is how many of a crew wait.
const mostIdle = 8

// do has f called, beside its caller.
func (c *crew) do(f func()) {
	select {
	case c.jobs <- f:
	default:
		c.work.Go(func() {
			for ; f != nil; f = c.next() {
				f()
			}
		})
	}
}

// next waits for another job; nil if enough others do, or none is left.
func (c *crew) next() func() {
	defer c.idle.Add(-1)
	if c.idle.Add(1) > mostIdle {
		return nil
	}
	return <-c.jobs
}

// end waits until all is done. There must be no do afterwards.
func (c *crew) end() {
	close(c.jobs)
	c.work.Wait()
}
