package session

import (
	"context"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// A CloseError says what it took to end a session that did not end when it was asked to.
type CloseError struct {
	Steps []string // what was done, in order
	Gone  bool     // the transport has ended
}

func (e *CloseError) Error() string {
	text := "session: close: the worker did not end when it was asked to: " + strings.Join(e.Steps, ", then ")
	if !e.Gone {
		text += "; it still runs"
	}
	return text
}

// Close ends the session: the worker is asked to end, which cancels the calls in flight; if it does not, its lifeline is
// closed, its transport gets SIGTERM and at last, where that leaves nothing privileged behind, SIGKILL. Nothing of the
// session is left when Close returns nil, which is when the first step was enough; otherwise the error is a *[CloseError].
// It takes no longer than five seconds and three times the grace. To close again gives the same error.
func (s *Session) Close() error { return s.CloseContext(context.Background()) }

// CloseContext closes the session; when ctx is done, each further step comes at once.
func (s *Session) CloseContext(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	if s.stop != nil {
		s.stop() // who waits for this dials no more
	}
	s.mu.Unlock()
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.options.answers.forget()
	l := s.current.Load()
	select {
	case <-l.over: // lost, or closed before
		l.join()
		return s.err
	default:
	}
	s.err = l.close(ctx)
	return s.err
}

// close asks the worker to end, and sees to it that it does.
func (l *link) close(ctx context.Context) error {
	l.mu.Lock()
	l.lost, l.closed = true, true
	l.mu.Unlock()
	l.work.Go(func() { _ = l.mux.WriteFrame(wire.Close, wire.End, 0) })
	patience := l.options.grace() + politely
	if !orDone(ctx, l.over, patience) {
		l.process.noted("closed its lifeline")
		l.process.release()
		if !orDone(ctx, l.over, patience) {
			l.finish(0)
		}
	}
	l.end()
	if steps := l.process.took(); len(steps) > 0 || !l.ending.gone {
		return &CloseError{Steps: steps, Gone: l.ending.gone}
	}
	return nil
}

// orDone reports whether c was closed in time; it does not wait longer than the context.
func orDone(ctx context.Context, c <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}
