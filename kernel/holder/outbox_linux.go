package holder

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A bundle is the descriptors of one thing. Whoever has it drops it; the last one closes them. So nothing is copied to be
// sent, which would fail just when there are many, and no number is given to another file while it is still to be sent.
type bundle struct {
	fds   []int
	users atomic.Int32
}

func newBundle(fds []int) *bundle {
	b := &bundle{fds: fds}
	b.users.Add(1)
	return b
}

func (b *bundle) share() {
	if b != nil {
		b.users.Add(1)
	}
}

func (b *bundle) drop() {
	if b != nil && b.users.Add(-1) == 0 {
		closeAll(b.fds)
	}
}

// An outbox sends messages to a server, so that the holder never waits for that.
type outbox struct {
	mu     sync.Mutex
	change *sync.Cond
	queue  []letter
	busy   bool
	ended  bool
}

// A letter is a message, and what goes along with it.
type letter struct {
	message
	along *bundle // may be nil
}

func newOutbox(raw syscall.RawConn) *outbox {
	o := &outbox{}
	o.change = sync.NewCond(&o.mu)
	go o.deliver(raw)
	return o
}

func (o *outbox) put(m message, along *bundle) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	if along != nil {
		m.fds = along.fds
	}
	along.share()
	o.queue = append(o.queue, letter{m, along})
	o.change.Broadcast()
}

func (o *outbox) deliver(raw syscall.RawConn) {
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.ended {
			o.change.Wait()
		}
		if o.ended {
			for _, l := range o.queue {
				l.along.drop()
			}
			o.queue = nil
			o.mu.Unlock()
			return
		}
		l := o.queue[0]
		o.queue, o.busy = o.queue[1:], true
		o.mu.Unlock()
		o.send(raw, l.message)
		l.along.drop()
		o.mu.Lock()
		o.busy = false
		o.change.Broadcast()
		o.mu.Unlock()
	}
}

// crowdedWait is how long to wait when as many descriptors are on their way as this user may have.
const crowdedWait = 10 * time.Millisecond

// send sends one message. An end of the link is heard by whoever receives.
func (o *outbox) send(raw syscall.RawConn, m message) {
	for errors.Is(send(raw, m), unix.ETOOMANYREFS) && !o.over() {
		time.Sleep(crowdedWait) // the system does not tell when they have arrived
	}
}

func (o *outbox) over() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// flush waits until everything is sent. The server reads, or is dead.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for (len(o.queue) > 0 || o.busy) && !o.ended {
		o.change.Wait()
	}
}

func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.change.Broadcast()
}
