package pool

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

var (
	// ErrClosed is found in the error of a call that comes after Close or Drain, or that waited when that came.
	ErrClosed = errors.New("pool: the pool is closed")

	// ErrSpent is found in the error of a call that comes after MaxCalls.
	ErrSpent = errors.New("pool: it has taken as many calls as it should")

	// ErrSessionClosed is found in the error of a call on a session that was closed.
	ErrSessionClosed = errors.New("pool: the session is closed")
)

// A FullError says that as many calls wait for a worker as may. The call did not start; later there may be room.
type FullError struct {
	Waiting int // calls that wait
	Workers int // that are busy
}

func (e *FullError) Error() string {
	return fmt.Sprintf("pool: %d calls wait for %d workers, which is all that may; try again later", e.Waiting, e.Workers)
}

// A TimeoutError says that a call took longer than the pool's TaskTimeout. It wraps context.DeadlineExceeded.
type TimeoutError struct {
	After time.Duration
	Err   error
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("pool: the task took longer than the %s that the pool gives to one: %v", e.After, e.Err)
}

func (e *TimeoutError) Unwrap() error { return e.Err }

// A KeptError says that a call, or its reply, is more than a server keeps for a user who is not its own. Replies that are read
// make room.
type KeptError struct {
	UID   int
	Bytes int64 // that the call has, or the reply
	Limit int64 // of what is kept: see ServeOptions.MaxKeptPerUser and MaxKept
	All   bool  // it is that for all such users together
	Ran   bool  // the function ran, and its reply is lost
}

func (e *KeptError) Error() string {
	what, whose, fate := "call", "for this user", "it was not run"
	if e.Ran {
		what, fate = "reply", "the function ran, and its reply is lost"
	}
	if e.All {
		whose = "for all users that are not its own"
	}
	return fmt.Sprintf("pool: the %s of uid %d has %d bytes, with which the server would keep more than %d %s; %s: read what came, and ask for less at a time",
		what, e.UID, e.Bytes, e.Limit, whose, fate)
}

func init() {
	box.RegisterError[*KeptError]()
	box.RegisterSentinel("pool.ErrClosed", ErrClosed)
	box.RegisterSentinel("pool.ErrSpent", ErrSpent)
	box.RegisterSentinel("pool.ErrSessionClosed", ErrSessionClosed)
	box.RegisterError[*FullError]()
	box.RegisterError[*TimeoutError]()
}

// failed is the error of a call that did not reach a worker.
func (p *Pool) failed(function, op string, err error) error {
	return box.NewDeliveryError(box.DeliveryError{Op: op, Func: function, Via: p.options.Via.String(), Err: err})
}
