package registry

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
	fileType    = reflect.TypeFor[*os.File]()
)

// An Entry is a registered function without its type. It is a [box.Handler].
type Entry struct {
	name       string
	fn         reflect.Value
	typ        reflect.Type
	where      string // file:line of the registration
	rules      Rules
	hasContext bool
	hasError   bool
	args       travelers
	results    travelers
}

func newEntry(name string, fn reflect.Value, where string, rules Rules) (*Entry, error) {
	if !fn.IsValid() || fn.Kind() != reflect.Func {
		return nil, fmt.Errorf("a function is needed, not %v", fn)
	}
	if fn.IsNil() {
		return nil, fmt.Errorf("the function is nil")
	}
	if why := captures(fn); why != "" {
		return nil, fmt.Errorf("%s", why)
	}
	e := &Entry{name: name, fn: fn, typ: fn.Type(), where: where, rules: rules}
	e.hasContext = e.typ.NumIn() > 0 && e.typ.In(0) == contextType
	e.hasError = e.typ.NumOut() > 0 && e.typ.Out(e.typ.NumOut()-1) == errorType
	var err error
	if e.args, err = newTravelers("arg", e.inTypes(), rules.Depth); err != nil {
		return nil, err
	}
	e.results, err = newTravelers("result", e.outTypes(), rules.Depth)
	return e, err
}

// inTypes are the parameters without a leading context.
func (e *Entry) inTypes() []reflect.Type {
	var types []reflect.Type
	for t := range e.typ.Ins() {
		types = append(types, t)
	}
	if e.hasContext {
		types = types[1:]
	}
	return types
}

// outTypes are the results without a trailing error.
func (e *Entry) outTypes() []reflect.Type {
	var types []reflect.Type
	for t := range e.typ.Outs() {
		types = append(types, t)
	}
	if e.hasError {
		types = types[:len(types)-1]
	}
	return types
}

func (e *Entry) zeroResults() []reflect.Value { return e.results.zeros() }

// Name is the name that the function is registered under.
func (e *Entry) Name() string { return e.name }

// Type is the function's type.
func (e *Entry) Type() reflect.Type { return e.typ }

// Doc is the function's sentence for listings; it may be empty.
func (e *Entry) Doc() string { return e.rules.Doc }

// Where is the file:line that registered the function.
func (e *Entry) Where() string { return e.where }

// Signature is the function's type in Go syntax.
func (e *Entry) Signature() string { return e.typ.String() }

// Results are the types of the function's results, without a trailing error.
func (e *Entry) Results() []reflect.Type { return e.outTypes() }

// Idempotent reports whether a call may be repeated when nobody knows how far it came.
func (e *Entry) Idempotent() bool { return e.rules.Idempotent }

// LiveArg is the type of an argument that stays with the caller, counted without a leading context; nil if it travels by
// value, or is not there.
func (e *Entry) LiveArg(slot int) reflect.Type { return e.args.liveType(slot) }

// LiveResult is the type of a result that stays on the far side; nil if it travels by value, or is not there.
func (e *Entry) LiveResult(slot int) reflect.Type { return e.results.liveType(slot) }

// Live names the first argument or result that stays where it is, such as "arg 1, io.Reader"; "" if all travel by value.
func (e *Entry) Live() string {
	for _, t := range []*travelers{&e.args, &e.results} {
		for i, live := range t.live {
			if live {
				return fmt.Sprintf("%s %d, %s", t.what, i, t.types[i])
			}
		}
	}
	return ""
}

// OpenFile names the first argument or result that is an open file, such as "result 0", because those pass only between
// processes of one machine; "" if there is none.
func (e *Entry) OpenFile() string {
	for _, t := range []*travelers{&e.args, &e.results} {
		if t.file >= 0 {
			return fmt.Sprintf("%s %d", t.what, t.file)
		}
	}
	return ""
}

// Pack packs a call; args are without a leading context. The context's deadline and trace travel with it. The error is a
// *box.PackingError or a *box.EncodingError.
func (e *Entry) Pack(ctx context.Context, args []reflect.Value) (*box.Box, error) {
	b := &box.Box{Func: e.name, Trace: box.TraceOf(ctx)}
	if err := box.CheckTrace(b.Trace); err != nil {
		return nil, &box.PackingError{Func: e.name, Why: "cannot pack the context", Err: err}
	}
	if deadline, ok := ctx.Deadline(); ok {
		if b.Timeout = time.Until(deadline); b.Timeout <= 0 {
			return nil, &box.PackingError{Func: e.name, Why: "the deadline has passed", Err: context.DeadlineExceeded}
		}
	}
	var err error
	b.Args, b.Live, err = e.args.pack(args)
	return b, err
}

// Serve runs the function here. It is the far end of Invoke.
func (e *Entry) Serve(ctx context.Context, packed box.Values, live []box.Live) (box.Values, []box.Live, error) {
	args, err := e.args.unpack(packed, live)
	if err != nil {
		return box.Values{}, nil, box.RefusalOf(err, false)
	}
	if e.hasContext {
		args = append([]reflect.Value{reflect.ValueOf(ctx)}, args...)
	}
	call := e.fn.Call
	if e.typ.IsVariadic() {
		call = e.fn.CallSlice
	}
	out := call(args)
	var failed error
	if e.hasError {
		failed, _ = out[len(out)-1].Interface().(error)
		out = out[:len(out)-1]
	}
	results, streams, err := e.results.pack(out)
	if err != nil {
		return box.Values{}, nil, box.RefusalOf(err, true)
	}
	return results, streams, failed
}
