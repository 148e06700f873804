package channel

import (
	"context"
	"errors"
	"io"
)

// onward joins an end that came from elsewhere with one that goes further: what arrives at either is sent on, in order, and
// so is how it ends. Both directions end by themselves, at the latest with one of the connections; carried is closed when
// nothing more comes back.
func (c *Channel[T]) onward(further *Channel[T], carried chan struct{}) {
	go func() {
		defer close(carried)
		further.carry(c)
	}()
	go c.carry(further)
}

// letGo closes the stream of an end whose call is over. What comes back through an end that was passed on may still be on
// its way then.
func (c *Channel[T]) letGo(s *Stream) {
	c.mu.Lock()
	carried := c.carried
	c.mu.Unlock()
	if carried == nil {
		_ = s.Close()
		return
	}
	go func() { // ends when carry does
		<-carried
		_ = s.Close()
	}()
}

// carry sends what c receives to another end.
func (c *Channel[T]) carry(to *Channel[T]) {
	for {
		v, err := c.receive(context.Background())
		switch {
		case err == io.EOF:
			_ = to.CloseSend()
			return
		case errors.Is(err, ErrClosed):
			_ = to.Close()
			return
		case err != nil:
			_ = to.CloseWithError(err)
			return
		}
		if err := to.Send(context.Background(), v); err != nil {
			if errors.Is(err, ErrClosed) {
				_ = c.Close()
			} else {
				_ = c.CloseWithError(err)
			}
			return
		}
	}
}
