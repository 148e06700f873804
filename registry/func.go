package registry

import (
	"context"
	"errors"
	"reflect"

	"github.com/seed354a1416/deliveryboy/box"
)

// A Func is a registered function of type F.
type Func[F any] struct{ entry *Entry }

// Entry is the function without its type.
func (f Func[F]) Entry() *Entry { return f.entry }

// Name is the name that the function is registered under.
func (f Func[F]) Name() string { return f.entry.name }

// On returns the function as it is called through c. It has the type of the original and may be called from many
// goroutines at once.
//
// What a call gives is what a local call would give. The function's own error comes back as a *box.RemoteError, inside
// which errors.Is and errors.As find the original; a delivery that failed gives a *box.DeliveryError, with zero results.
// A function without an error result panics with that error instead.
func (f Func[F]) On(c box.Courier) F {
	e := f.entry
	call := reflect.MakeFunc(e.typ, func(in []reflect.Value) []reflect.Value {
		ctx := context.Background()
		if e.hasContext {
			if v := in[0]; !v.IsNil() {
				ctx = v.Interface().(context.Context)
			}
			in = in[1:]
		}
		results, err := e.Invoke(ctx, c, in)
		if !e.hasError {
			if err != nil {
				panic(err)
			}
			return results
		}
		last := reflect.New(errorType).Elem()
		if err != nil {
			last.Set(reflect.ValueOf(err))
		}
		return append(results, last)
	})
	return call.Interface().(F)
}

// Invoke packs args, which are without a leading context, has c deliver them, and returns what [Entry.Unpack] does.
func (e *Entry) Invoke(ctx context.Context, c box.Courier, args []reflect.Value) ([]reflect.Value, error) {
	b, err := e.Pack(ctx, args)
	if err != nil {
		return e.zeroResults(), e.undelivered("pack", err)
	}
	r, err := c.Deliver(ctx, b)
	if err != nil {
		return e.zeroResults(), err
	}
	return e.Unpack(r)
}

// Unpack returns what came of a call: the results, without a trailing error, and the function's own error or a
// *box.DeliveryError; with it the results are those that the function returned, or zero. If the reply says so, a panic of
// the function is a panic here.
func (e *Entry) Unpack(r *box.Reply) ([]reflect.Value, error) {
	if err := r.Err(); err != nil && !returned(r) {
		var p *box.PanicError
		if r.Repanic && errors.As(err, &p) {
			panic(p)
		}
		return e.zeroResults(), err
	}
	results, err := e.results.unpack(r.Results, r.Live)
	if err != nil {
		return e.zeroResults(), e.undelivered("unpack", err)
	}
	return results, r.Err()
}

// returned reports whether the function came to its end, so that it has results.
func returned(r *box.Reply) bool {
	return r.Refusal == nil && (r.Fault == nil || r.Fault.Kind == box.Returned)
}

func (e *Entry) undelivered(op string, err error) error {
	fate := box.NotStarted
	if op == "unpack" {
		fate = box.Stopped
	}
	return box.NewDeliveryError(box.DeliveryError{Op: op, Func: e.name, Fate: fate, Err: err})
}
