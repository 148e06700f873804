package channel

import (
	"errors"
	"fmt"
	"os"
)

var (
	// ErrClosed is what a stream or channel gives that was closed in good order, by this side or the other. errors.Is
	// finds os.ErrClosed in it as well.
	ErrClosed = fmt.Errorf("channel: the stream is closed: %w", os.ErrClosed)

	// ErrSilent says that the other side has sent nothing for eight heartbeats: it hangs, or the network is down.
	ErrSilent = errors.New("the other side is silent")
)

// A LostError says that a stream ended because its connection did.
type LostError struct {
	Err error // why; nil if the other side just ended
}

func (e *LostError) Error() string {
	if e.Err == nil {
		return "channel: the connection has ended"
	}
	return "channel: the connection is lost: " + e.Err.Error()
}

func (e *LostError) Unwrap() error { return e.Err }
