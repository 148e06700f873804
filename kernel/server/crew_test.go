package server

import (
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestCrew: no job waits for another one, however many there are. Few of those who have done one wait for the next, and they
// get it.
func TestCrew(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := crew{jobs: make(chan func())}
	idle := func(least, most int32) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); c.idle.Load() < least || c.idle.Load() > most; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d wait for a job", c.idle.Load())
			}
		}
	}
	together := func(n int) {
		var all, done sync.WaitGroup
		all.Add(n)
		done.Add(n)
		for range n {
			c.do(func() {
				defer done.Done()
				all.Done()
				all.Wait() // all of them run
			})
		}
		done.Wait()
	}
	together(1)
	taken, waited := make(chan int32), false
	for n := 0; n < 100 && !waited; n++ { // who has just done one may not wait yet
		idle(1, mostIdle)
		before := c.idle.Load()
		c.do(func() { taken <- c.idle.Load() })
		waited = <-taken < before
	}
	if !waited {
		t.Error("nobody who waited got a job")
	}
	together(10 * mostIdle)
	idle(1, mostIdle)
	together(10 * mostIdle)
	c.end()
	goleak.VerifyNone(t, before)
}
