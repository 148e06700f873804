package pool

import (
	"errors"
	"time"
)

// maxWords is how many small things may wait until a client reads: each of its calls has three at most, and what is more
// comes from a client that asks and does not listen.
const maxWords = 4 * maxCalls

var (
	errDeaf    = errors.New("the client does not read what it asks for")
	errStalled = errors.New("the client does not take, or give, what its call needs to end")
)

// soon has something small written: the goroutine that reads must not write, and who holds a worker must not wait for a
// client. It is done in the order in which it is asked for.
func (r *relay) soon(f func()) {
	select {
	case r.words <- f:
	default:
		r.cutOff(errDeaf)
	}
}

// speak writes what soon is given, until no more comes.
func (r *relay) speak() {
	for f := range r.words {
		f()
	}
}

// expect waits for the end of a call whose time is over. A client that keeps it from ending is cut off: somebody else may
// wait for the worker.
func (r *relay) expect(over <-chan struct{}) {
	timer := time.NewTimer(r.server.options.Patience)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
		r.cutOff(errStalled)
	}
}

// cutOff ends the connection.
func (r *relay) cutOff(why error) {
	r.mu.Lock()
	if r.cut == nil {
		r.cut = why
	}
	r.mu.Unlock()
	r.conn.interrupt()
}

// why is how a connection ended that was read with err.
func (r *relay) why(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut != nil {
		return r.cut
	}
	return err
}
