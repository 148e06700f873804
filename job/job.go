package job

import (
	"context"
	"fmt"
	"iter"
	"syscall"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/spool"
	"github.com/seed354a1416/deliveryboy/registry"
)

// A Job is a call that outlives its caller. It is a way to the job, and holds nothing of it: there may be several, in
// several programs. It is safe for concurrent use.
type Job[R any] struct{ Handle }

// Wait waits for the end of the job and returns what the function did: as with a call, errors.Is and errors.As find the
// function's own errors, and a panic is a *box.PanicError. A job that is gone without a result gives a *[LostError].
//
// It may be called any number of times, by anybody, until somebody acknowledges the result. The context ends the waiting,
// not the job.
func (j *Job[R]) Wait(ctx context.Context) (R, error) {
	var zero R
	values, err := j.Results(ctx)
	if len(values) != 1 {
		return zero, err
	}
	result, _ := values[0].(R)
	return result, err
}

// Poll is Wait that does not wait: done says whether the job has ended.
func (j *Job[R]) Poll(ctx context.Context) (result R, done bool, err error) {
	i, err := j.Info(ctx)
	if err != nil || i.Phase != Ended && i.Phase != Lost {
		return result, false, err
	}
	result, err = j.Wait(ctx)
	return result, true, err
}

// A Handle is a [Job] without its type.
type Handle struct {
	ID  string
	PID int // of the keeper, on the target; 0 if the job waited in a queue when this handle came about

	courier  box.Courier
	function string          // its name; empty if that is not known
	entry    *registry.Entry // nil if this program does not have the function
}

// typeless says why there are no results.
func (h *Handle) typeless() error {
	return fmt.Errorf("job %s: it runs %q, which this program does not have: its result would be without a type", h.ID, h.function)
}

// Results waits as [Job.Wait] does, and returns the function's results without a trailing error.
func (h *Handle) Results(ctx context.Context) ([]any, error) {
	if h.entry == nil {
		return nil, h.typeless()
	}
	e, err := waitThere.On(h.courier)(ctx, h.ID)
	if err != nil {
		return nil, err
	}
	if e.Info.Phase == Lost {
		return nil, &LostError{e.Info}
	}
	origin := box.Origin{Func: h.entry.Name(), Via: fmt.Sprint("job ", h.ID)}
	if len(e.Reply) == 0 {
		f, err := box.DecodeFault(e.Fault)
		if err == nil {
			err = f.Err(origin)
		}
		return nil, fmt.Errorf("job %s: %w", h.ID, err)
	}
	r, err := box.ReplyFromSegments(e.Reply)
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", h.ID, err)
	}
	r.Origin = origin
	values, err := h.entry.Unpack(r)
	results := make([]any, len(values))
	for i, v := range values {
		results[i] = v.Interface()
	}
	return results, err
}

// Info says how far the job is.
func (h *Handle) Info(ctx context.Context) (Info, error) {
	return statusThere.On(h.courier)(ctx, h.ID)
}

// Stats measures the job's processes.
func (h *Handle) Stats(ctx context.Context) (Stats, error) {
	a, err := h.order(ctx, "stats")
	return a.Stats, err
}

// Cancel cancels the job: the context of the function ends, and after the grace its processes are ended. One that waits
// does not run. It returns at once; Wait tells what came of it.
func (h *Handle) Cancel(ctx context.Context) error { return h.tell(ctx, "cancel") }

// Signal signals the worker that runs the function. The error is [ErrNotRunning] if none does.
func (h *Handle) Signal(ctx context.Context, sig syscall.Signal) error {
	return h.tell(ctx, fmt.Sprintf("signal %d", int(sig)))
}

// Suspend stops the worker and all that it started, until Resume. The time of a Timeout goes on.
func (h *Handle) Suspend(ctx context.Context) error { return h.tell(ctx, "suspend") }

// Resume lets the worker, and all that it started, go on.
func (h *Handle) Resume(ctx context.Context) error { return h.tell(ctx, "resume") }

// Dump returns the stacks of the worker's goroutines: where a function hangs.
func (h *Handle) Dump(ctx context.Context) (string, error) {
	a, err := h.order(ctx, "dump")
	return a.Dump, err
}

func (h *Handle) tell(ctx context.Context, what string) error {
	_, err := h.order(ctx, what)
	return err
}

func (h *Handle) order(ctx context.Context, what string) (answer, error) {
	return orderThere.On(h.courier)(ctx, h.ID, what)
}

// Acknowledge says that result and output have been taken in: the job is taken away, and not found from then on. The error
// is [ErrNotEnded] if it runs or waits.
func (h *Handle) Acknowledge(ctx context.Context) error {
	return freeThere.On(h.courier)(ctx, h.ID, false)
}

// Forget takes the job away: at once if it has ended or waits in a queue, else when it ends. It goes on until then; see
// Cancel.
func (h *Handle) Forget(ctx context.Context) error {
	return freeThere.On(h.courier)(ctx, h.ID, true)
}

// The streams of the output.
const (
	Gap    = spool.Gap // output that was not kept
	Stdout = spool.Stdout
	Stderr = spool.Stderr
	Log    = spool.Log // records of log/slog that went to the default logger, as lines of JSON
)

// A Stream is where output was written to.
type Stream = spool.Stream

// A Piece is a part of the output.
type Piece = spool.Piece

// Output returns what the job printed from an offset on, in the order in which it was written, with the time of each piece.
// With follow it goes on until the job has ended; else until the end of what there is. Piece.Next is where to go on
// another time. The last pair may have an error instead of a piece.
func (h *Handle) Output(ctx context.Context, from Offset, follow bool) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		pieces, ended := make(chan Piece), make(chan struct{})
		var failed error
		go func() {
			defer close(ended)
			failed = followThere.On(h.courier)(ctx, h.ID, from, follow, pieces)
		}()
		defer func() { cancel(); <-ended }()
		for {
			select {
			case p := <-pieces:
				if !yield(p, nil) {
					return
				}
			case <-ended:
				if failed != nil {
					yield(Piece{}, failed)
				}
				return
			}
		}
	}
}
