package process

import (
	"context"
	"fmt"
	"time"
)

// A Restart keeps something running: what ends is started again at once, unless it flaps. The zero value has gaffer's
// numbers: who ends twice within a second is started again after seven, five times in a row at most.
//
// Ends are counted to a thousandth of Window: what is kept of them does not grow with Attempts.
type Restart struct {
	Attempts int           // so many ends within Window are flapping; 0: 2
	Window   time.Duration // 0: 1s
	Wait     time.Duration // how long to leave what flaps alone; 0: 7s
	Retries  int           // how often to wait, in a row, before giving up; 0: 5; negative: never to wait

	// OnFailure lets what ends well be: Keep returns nil then.
	OnFailure bool

	// Told is called at each end, with how it was and how long it will be until the next start; may be nil.
	Told func(s State, err error, next time.Duration)
}

// A FlappingError says that something ended too often, and was given up.
type FlappingError struct {
	Restart Restart // with its numbers
	State   State   // the last end
	Err     error   // of the last start, if it failed
}

func (e *FlappingError) Error() string {
	how := e.State.String()
	if e.Err != nil {
		how = e.Err.Error()
	}
	return fmt.Sprintf("process: given up: it ended %d times within %s, again after each of %d waits of %s; the last time: %s",
		e.Restart.Attempts, e.Restart.Window, e.Restart.Retries, e.Restart.Wait, how)
}

func (e *FlappingError) Unwrap() error { return e.Err }

// Keep calls run, which runs something to its end, again and again until ctx is done: then it returns the context's error. A
// *[FlappingError] says that it was given up. An error of run counts as an end.
func (r Restart) Keep(ctx context.Context, run func(context.Context) (State, error)) error {
	r = r.numbers()
	var ends ends
	retries := 0
	for {
		s, err := run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.OnFailure && err == nil && s.Success() {
			return nil
		}
		now := time.Now()
		if ends.before(now, r.Window) {
			retries = 0 // it ran well since
		}
		ends.add(now, r.Window)
		wait := time.Duration(0)
		if ends.count() >= r.Attempts {
			if retries >= r.Retries {
				return &FlappingError{Restart: r, State: s, Err: err}
			}
			retries++
			wait, ends.list = r.Wait, nil
		}
		if r.Told != nil {
			r.Told(s, err, wait)
		}
		if wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
	}
}

func (r Restart) numbers() Restart {
	if r.Attempts <= 0 {
		r.Attempts = 2
	}
	if r.Window <= 0 {
		r.Window = time.Second
	}
	if r.Wait <= 0 {
		r.Wait = 7 * time.Second
	}
	if r.Retries == 0 {
		r.Retries = 5
	}
	r.Retries = max(r.Retries, 0)
	return r
}

// Keep keeps a process running, until ctx is done: then it is stopped. begin is called with each process before it is
// started, to subscribe to its events; it may be nil.
func (h Host) Keep(ctx context.Context, cfg Config, r Restart, begin func(*Process), stdio ...Stdio) error {
	return r.Keep(ctx, func(ctx context.Context) (State, error) {
		p, err := h.New(cfg, stdio...)
		if err != nil {
			return State{Code: -1}, err
		}
		if begin != nil {
			begin(p)
		}
		defer p.Close() //nolint:errcheck // Wait, or Stop, has told how it ended
		if err := p.Start(ctx); err != nil {
			return State{Code: -1}, err
		}
		s, err := p.Wait(ctx)
		if ctx.Err() != nil {
			return p.Stop(context.WithoutCancel(ctx))
		}
		return s, err
	})
}
