package channel

import "context"

// A signal wakes one goroutine that waits for a state to change; it stays up until somebody has seen it.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) raise() {
	select {
	case s <- struct{}{}:
	default:
	}
}

func (s signal) wait(ctx context.Context) error {
	select {
	case <-s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// again raises the signal for the next one who waits, because what it tells stays true.
func (s signal) again(err error) error {
	s.raise()
	return err
}
