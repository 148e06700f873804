package session

import "errors"

// ErrLost is found with errors.Is in the error of a call whose session was lost.
var ErrLost = errors.New("session: the session is lost")

// ErrClosed is what a session that was closed gives.
var ErrClosed = errors.New("session: the session is closed")

// A LostError says that a session was lost: its worker or its transport ended, or the far side is silent. It is inside
// the *box.DeliveryError of every call that was in flight, and of those that come later.
type LostError struct {
	Started bool  // the function had started: nobody knows how far it came
	Err     error // what is known: a *box.TransportError, a *box.RemoteError, the worker's reason
}

func (e *LostError) Error() string {
	text := "the session is lost"
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *LostError) Unwrap() error { return e.Err }

// Is makes it ErrLost.
func (e *LostError) Is(target error) bool { return target == ErrLost }
