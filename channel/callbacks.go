package channel

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// callbacks are calls in the direction against that of the call which they belong to: from the side that has the
// function's stand-in to the side that has the function. A callback is a message whose first segment is the number of
// the stream that stands for the function; its answer is a reply on the callback's own number.
type callbacks struct {
	mu      sync.Mutex // guards what follows
	served  map[uint32]func(wire.Frame)
	pending map[uint32]chan [][]byte
	err     error // of the connection
}

// serveCallbacks has f called, by the goroutine that reads the wire, with each callback of the stream.
func (m *Mux) serveCallbacks(stream uint32, f func(wire.Frame)) {
	m.calls.mu.Lock()
	defer m.calls.mu.Unlock()
	if m.calls.served == nil {
		m.calls.served = map[uint32]func(wire.Frame){}
	}
	m.calls.served[stream] = f
}

// endCallbacks takes back serveCallbacks.
func (m *Mux) endCallbacks(stream uint32) {
	m.calls.mu.Lock()
	defer m.calls.mu.Unlock()
	delete(m.calls.served, stream)
}

// callBack sends the segments to the function that the stream stands for, and returns the segments of the reply. It gives
// up when ctx is done, or over is closed.
func (m *Mux) callBack(ctx context.Context, over <-chan struct{}, stream uint32, segments [][]byte) ([][]byte, error) {
	answer := make(chan [][]byte, 1)
	id, err := m.expectReply(answer)
	if err != nil {
		return nil, err
	}
	defer m.calls.forget(id)
	target := binary.BigEndian.AppendUint32(nil, stream)
	if err := m.wire.WriteMessage(wire.Callback, id, append([][]byte{target}, segments...)); err != nil {
		return nil, err
	}
	select {
	case reply, ok := <-answer:
		if !ok {
			return nil, &LostError{m.Err()}
		}
		return reply, nil
	case <-over:
		return nil, ErrCallEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// expectReply finds a number that is not in use, and has its reply go to answer.
func (m *Mux) expectReply(answer chan [][]byte) (uint32, error) {
	for {
		id := m.NextID()
		m.calls.mu.Lock()
		if m.calls.err != nil {
			defer m.calls.mu.Unlock()
			return 0, m.calls.err
		}
		if m.calls.pending == nil {
			m.calls.pending = map[uint32]chan [][]byte{}
		}
		if m.calls.pending[id] == nil {
			m.calls.pending[id] = answer
			m.calls.mu.Unlock()
			return id, nil
		}
		m.calls.mu.Unlock()
	}
}

func (c *callbacks) forget(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

// lose fails all that wait for a reply.
func (c *callbacks) lose(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for _, answer := range c.pending {
		close(answer)
	}
	c.pending, c.served = nil, nil
}

// callback gives a callback to its function, or refuses it.
func (m *Mux) callback(f wire.Frame) {
	if len(f.Segments) > 0 && len(f.Segments[0]) == 4 {
		target := binary.BigEndian.Uint32(f.Segments[0])
		m.calls.mu.Lock()
		serve := m.calls.served[target]
		m.calls.mu.Unlock()
		if serve != nil {
			f.Segments = f.Segments[1:]
			serve(f)
			return
		}
	}
	m.refuseCallback(f.Stream)
}

// refuseCallback answers a callback that nobody serves. The goroutine that reads must not write.
func (m *Mux) refuseCallback(id uint32) {
	r := &box.Reply{Refusal: box.RefusalOf(&box.PackingError{Why: fmt.Sprintf("callback %d is not taken: its call is over, or too many wait", id)}, false)}
	m.errands.do(func() {
		if segments, err := r.Segments(); err == nil {
			_ = m.wire.WriteMessage(wire.Reply, id, segments)
		}
	})
}

// callbackReply takes a reply that answers a callback; false if it does not.
func (m *Mux) callbackReply(f wire.Frame) bool {
	if !m.mine(f.Stream) {
		return false
	}
	m.calls.mu.Lock()
	defer m.calls.mu.Unlock()
	answer := m.calls.pending[f.Stream]
	if answer == nil {
		// Late: whoever called back has stopped waiting. A worker makes no other calls.
		return m.o.Side == wire.Worker
	}
	delete(m.calls.pending, f.Stream)
	answer <- f.Segments
	return true
}
