package box

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// A Handler runs one registered function on encoded values.
type Handler interface {
	// Serve decodes the arguments, calls the function and encodes its results. Live ones are handed over as they are. The
	// error is the function's own, or a *[Refusal].
	Serve(ctx context.Context, args Values, live []Live) (results Values, liveResults []Live, err error)
}

// A Refusal says that a box arrived but was not opened, or that its results could not be packed. On the near side it
// becomes a *[DeliveryError].
type Refusal struct {
	Class string // "packing", "encoding" or "ending"
	Func  string
	What  string // as in EncodingError
	Path  string
	Why   string
	Ran   bool // the function ran; its results are lost
}

func (r *Refusal) Error() string { return r.cause().Error() }

func (r *Refusal) cause() error {
	if r.Class == "packing" || r.Ending() {
		return &PackingError{Func: r.Func, Why: r.Why}
	}
	return &EncodingError{What: r.What, Path: r.Path, Why: r.Why}
}

// Err is the refusal as the caller sees it.
func (r *Refusal) Err(o Origin) error {
	e := DeliveryError{Op: "unpack", Func: o.Func, Via: o.Via, Err: r.cause()}
	if r.Ran {
		e.Fate = Stopped
	}
	return NewDeliveryError(e)
}

// Ending reports whether the box came to a worker that is about to end: another one may take it.
func (r *Refusal) Ending() bool { return r != nil && r.Class == ending }

const ending = "ending"

// An EndingError says that a worker takes no more calls.
type EndingError struct {
	Func string
	Why  error
}

func (e *EndingError) Error() string { return "the worker takes no more calls: " + e.Why.Error() }

// RefusalOf turns such an error into what travels of it.
func RefusalOf(err error, ran bool) *Refusal {
	switch e := err.(type) {
	case *Refusal:
		return e
	case *PackingError:
		return &Refusal{Class: "packing", Func: e.Func, Why: withCause(e.Why, e.Err), Ran: ran}
	case *EndingError:
		return &Refusal{Class: ending, Func: e.Func, Why: e.Error(), Ran: ran}
	case *EncodingError:
		return &Refusal{Class: "encoding", What: e.What, Path: e.Path, Why: withCause(e.Why, e.Err), Ran: ran}
	}
	return &Refusal{Class: "encoding", What: "box", Why: err.Error(), Ran: ran}
}

// Execute opens a box: it runs the function that h stands for, and packs what came of it. A panic, a runtime.Goexit and
// an error are in the reply; Execute itself does not fail. A nil h is a box without a function.
//
// The context ends when the box's timeout does. Execute waits for the function, whatever the context says: who cannot
// wait for a function that ignores its context has to end the process.
func Execute(ctx context.Context, h Handler, b *Box) *Reply {
	done := make(chan *Reply, 1)
	go ExecuteHere(ctx, h, b, func(r *Reply) { done <- r }) // runtime.Goexit would end the caller's goroutine
	return <-done
}

// ExecuteHere is Execute in this goroutine, which ends if the function calls runtime.Goexit. done is called once, with the
// reply, whatever the function does.
func ExecuteHere(ctx context.Context, h Handler, b *Box, done func(*Reply)) {
	r := &Reply{Run: here()}
	r.Run.Start = time.Now()
	if h == nil {
		r.Refusal = RefusalOf(&PackingError{Func: b.Func, Why: "there is no function in the delivery box"}, false)
		done(r)
		return
	}
	if b.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.Timeout)
		defer cancel()
	}
	ctx = WithTrace(ctx, b.Trace)
	returned := false
	defer func() {
		if v := recover(); v != nil {
			r.Fault = PanicFault(v, debug.Stack())
		} else if !returned {
			r.Fault = GoexitFault(debug.Stack())
		}
		r.Run.Took = time.Since(r.Run.Start)
		done(r)
	}()
	results, live, err := h.Serve(ctx, b.Args, b.Live)
	r.Results, r.Live, returned = results, live, true
	if refusal, ok := err.(*Refusal); ok {
		r.Refusal = refusal
	} else if err != nil {
		r.Fault = FaultOf(err)
	}
}

// here says who runs functions in this process.
var here = sync.OnceValue(func() Run {
	r := Run{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}
	r.Host, _ = os.Hostname()
	return r
})

// Err is what the function returned or did instead: nil, a *[RemoteError], a *[PanicError], or a *[DeliveryError] if the
// far side could not open the box.
func (r *Reply) Err() error {
	o := r.Origin
	o.Run = r.Run
	switch {
	case r.Refusal != nil:
		return r.Refusal.Err(o)
	case r.Fault != nil:
		return r.Fault.Err(o)
	}
	return nil
}

type traceKey struct{}

// WithTrace returns a context whose trace values, such as traceparent, travel with every call made under it. The
// function finds them with [TraceOf]. At most 64 values, 8 KiB in all, travel.
func WithTrace(ctx context.Context, trace map[string]string) context.Context {
	if len(trace) == 0 {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, trace)
}

// TraceOf returns the trace values of a context; nil if it has none.
func TraceOf(ctx context.Context) map[string]string {
	trace, _ := ctx.Value(traceKey{}).(map[string]string)
	return trace
}

// CheckTrace reports trace values that are too many or too large to travel.
func CheckTrace(trace map[string]string) error {
	size := 0
	for k, v := range trace {
		size += len(k) + len(v)
	}
	if len(trace) > 64 || size > 8<<10 {
		return fmt.Errorf("trace: %d values with %d bytes; at most 64 values and 8192 bytes may travel", len(trace), size)
	}
	return nil
}
