package registry

import (
	"fmt"
	"reflect"

	"github.com/seed354a1416/deliveryboy/box"
)

// Arguments turns values into what Pack takes: of the parameters' types, without a leading context. The values of a
// variadic function's last parameter stand one by one. The error is a *box.PackingError that names the argument.
func (e *Entry) Arguments(args []any) ([]reflect.Value, error) {
	types, fixed := e.inTypes(), len(e.inTypes())
	bad := func(format string, a ...any) ([]reflect.Value, error) {
		return nil, &box.PackingError{Func: e.name, Why: fmt.Sprintf(format, a...)}
	}
	if e.typ.IsVariadic() {
		fixed--
	}
	if len(args) < fixed || len(args) > fixed && !e.typ.IsVariadic() {
		return bad("%d arguments; it takes %d: %s", len(args), fixed, e.typ)
	}
	in := make([]reflect.Value, len(types))
	for i, t := range types {
		in[i] = reflect.New(t).Elem()
	}
	for i, arg := range args {
		into := reflect.Value{}
		if i < fixed {
			into = in[i]
		} else {
			rest := in[fixed]
			rest.Set(reflect.Append(rest, reflect.Zero(rest.Type().Elem())))
			into = rest.Index(i - fixed)
		}
		v := reflect.ValueOf(arg)
		switch {
		case !v.IsValid() && canBeNil(into.Type()):
		case !v.IsValid() || !v.Type().AssignableTo(into.Type()):
			return bad("arg %d is %T; it takes %s", i, arg, into.Type())
		default:
			into.Set(v)
		}
	}
	return in, nil
}

func canBeNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice:
		return true
	}
	return false
}

// Open unpacks the arguments of a box for this function, without a leading context, as [Entry.Serve] does: for who decides
// by them whether it may run. The error is a *box.EncodingError.
func (e *Entry) Open(b *box.Box) ([]reflect.Value, error) { return e.args.unpack(b.Args, b.Live) }

// Failed is the reply of a function that returned zero results and the error, for who stands in its place. If it has no
// error result, its caller panics with that.
func (e *Entry) Failed(err error) *box.Reply {
	results, live, bad := e.results.pack(e.zeroResults())
	if bad != nil {
		return &box.Reply{Refusal: box.RefusalOf(bad, false)}
	}
	return &box.Reply{Results: results, Live: live, Fault: box.FaultOf(err)}
}
