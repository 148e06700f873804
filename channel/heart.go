package channel

import (
	"fmt"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// misses is after how many heartbeats without a frame the other side counts as gone.
const misses = 8

// startHeart shows the other side that this one is there, and ends the connection when the other does not. The function
// that it returns stops it, and waits until it has stopped.
func (m *Mux) startHeart() (stop func()) {
	if m.o.Heartbeat <= 0 {
		return func() {}
	}
	over := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() { m.beat(over) })
	return func() {
		close(over)
		beating.Wait()
	}
}

// beat counts its own ticks, not the clock's: a side that was suspended itself, or whose machine was, must not take the
// other for dead before it has looked at what came meanwhile.
func (m *Mux) beat(over <-chan struct{}) {
	every := m.o.Heartbeat
	tick := time.NewTicker(every)
	defer tick.Stop()
	missed, before := 0, time.Now()
	for {
		select {
		case <-over:
			return
		case <-m.done:
			return
		case <-tick.C:
		}
		now := time.Now()
		switch {
		case m.heard.Swap(false), now.Sub(before) > 2*every:
			missed = 0
		default:
			missed++
		}
		before = now
		if missed >= misses {
			m.Shut(fmt.Errorf("%w: nothing came for %s", ErrSilent, misses*every))
			return
		}
		// Not by this goroutine: a pipe that nobody empties would stop it.
		m.errands.once(func() { _ = m.wire.WriteFrame(wire.Ping, wire.Answer, 0) })
	}
}
