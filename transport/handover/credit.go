package handover

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A credit is how many bytes of stdin may be sent.
type credit struct {
	mu   sync.Mutex // guards left
	more sync.Cond
	left int

	ended atomic.Bool // stdin has
}

func (c *credit) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = min(c.left+n, window) // a server that gives more is not believed
	c.more.Signal()
}

// wait waits for credit, and returns it, but not more than most.
func (c *credit) wait(most int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.left <= 0 {
		c.more.Wait()
	}
	return min(c.left, most)
}

// endWithCaller ends this process, and with that the connection, if its caller is gone and the rest of stdin finds no room.
func (c *credit) endWithCaller() {
	if !hungUp(0) {
		return
	}
	time.Sleep(abandoned)
	if !c.ended.Load() {
		syscall.Exit(exitUnavailable)
	}
}
