package job

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/store"
	"github.com/seed354a1416/deliveryboy/registry"
)

// Start starts a function as a job where c leads, and returns when it is sure to run: the order is on the target's disk,
// and the keeper is there. The context is for starting alone; there may be options.
//
//	j, err := job.Start(ctx, web, backup, "/srv")
//	…
//	size, err := j.Wait(ctx)
//
// The error says that the job does not run: a *box.DeliveryError, or one that is [ErrFull] when the target's disk is, or a
// [StartError] when nobody can say whether it does.
func Start[A, R any](ctx context.Context, c box.Courier, fn registry.Func[func(context.Context, A) (R, error)], arg A, options ...Options) (*Job[R], error) {
	h, err := StartEntry(ctx, c, fn.Entry(), []any{arg}, options...)
	if err != nil {
		return nil, err
	}
	return &Job[R]{*h}, nil
}

// Fire starts a function as a job that nobody will ask about, and returns the number of its keeper's process on the target:
// SIGTERM to that cancels the job. What the function returns or prints is thrown away when it has ended.
func Fire[A, R any](ctx context.Context, c box.Courier, fn registry.Func[func(context.Context, A) (R, error)], arg A) (pid int, err error) {
	h, err := StartEntry(ctx, c, fn.Entry(), []any{arg}, Options{Forget: true})
	if err != nil {
		return 0, err
	}
	return h.PID, nil
}

// StartEntry is Start for a function of any type that is registered; args are without a leading context. What it returns
// comes from [Handle.Results].
func StartEntry(ctx context.Context, c box.Courier, e *registry.Entry, args []any, options ...Options) (*Handle, error) {
	o := Options{}
	if len(options) > 0 {
		o = options[0]
	}
	values, err := e.Arguments(args)
	if err != nil {
		return nil, undelivered(e.Name(), err)
	}
	if live := e.Live(); live != "" {
		return nil, undelivered(e.Name(), detachable(e.Name(), live))
	}
	r := o.record(e.Name())
	if err := checkRecord(&r); err != nil {
		return nil, undelivered(e.Name(), err)
	}
	b, err := e.Pack(ctx, values)
	if err != nil {
		return nil, undelivered(e.Name(), err)
	}
	b.Timeout = 0 // the deadline is that of starting
	call, err := b.Segments()
	if err != nil {
		return nil, undelivered(e.Name(), err)
	}
	pid, err := (&order{r, call}).deliver(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Handle{ID: r.ID, PID: pid, function: e.Name(), courier: c, entry: e}, nil
}

func undelivered(function string, err error) error {
	return box.NewDeliveryError(box.DeliveryError{Op: "pack", Func: function, Fate: box.NotStarted, Err: err})
}

// deliver gives the order, and returns the keeper's number. The worker is told, in its argv if it is narrowed, that it starts
// this function.
func (o *order) deliver(ctx context.Context, c box.Courier) (pid int, err error) {
	e := startThere.Entry()
	data, err := o.pack()
	var b *box.Box
	if err == nil {
		b, err = e.Pack(ctx, []reflect.Value{reflect.ValueOf(data)})
	}
	if err != nil {
		return 0, undelivered(o.Record.Func, err)
	}
	b.Starts = o.Record.Func
	r, err := c.Deliver(ctx, b)
	if err != nil {
		var d *box.DeliveryError
		if errors.As(err, &d) && d.Fate != box.NotStarted {
			err = &StartError{o.Record.ID, err}
		}
		return 0, err
	}
	results, err := e.Unpack(r)
	if err != nil {
		if r.Fault != nil && r.Fault.Kind != box.Returned || errors.Is(err, store.ErrOrdering) {
			err = &StartError{o.Record.ID, err} // the worker ended in the middle, or somebody else is at it
		}
		return 0, err
	}
	return int(results[0].Int()), nil
}

// Attach returns a job that was started before, by whichever program, as one whose function returns an R. The error is
// [ErrNotFound] if there is none where c leads.
func Attach[R any](ctx context.Context, c box.Courier, id string) (*Job[R], error) {
	h, err := AttachHandle(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if h.entry == nil {
		return nil, h.typeless()
	}
	if out := h.entry.Results(); len(out) != 1 || out[0] != reflect.TypeFor[R]() {
		return nil, fmt.Errorf("job %s: %s returns %v, not one %s", id, h.entry.Name(), out, reflect.TypeFor[R]())
	}
	return &Job[R]{*h}, nil
}

// AttachHandle is Attach without the type. It also attaches to jobs of other programs of the user, and to damaged ones: all
// but the results are there, as far as they can be.
func AttachHandle(ctx context.Context, c box.Courier, id string) (*Handle, error) {
	if err := store.CheckID(id); err != nil {
		return nil, err
	}
	i, err := statusThere.On(c)(ctx, id)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	e, _ := registry.Lookup(i.Func)
	return &Handle{ID: id, PID: i.PID, function: i.Func, courier: c, entry: e}, nil
}

// List returns the jobs of the user where c leads, the oldest first. Those whose files are damaged are in it too.
func List(ctx context.Context, c box.Courier) ([]Info, error) { return listThere.On(c)(ctx) }
