package registry

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
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
	live       string     // the first live argument or result; "" if there is none
	args       *box.Codec // nil if something is live
	results    *box.Codec
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
	in, err := e.travelers("arg", e.inTypes())
	if err != nil {
		return nil, err
	}
	out, err := e.travelers("result", e.outTypes())
	if err != nil {
		return nil, err
	}
	if e.args, err = box.NewCodec("arg", in, rules.Depth); err != nil {
		return nil, err
	}
	e.results, err = box.NewCodec("result", out, rules.Depth)
	return e, err
}

// travelers returns the types that a codec carries, and notes the first live one.
func (e *Entry) travelers(what string, types []reflect.Type) ([]reflect.Type, error) {
	var out []reflect.Type
	for i, t := range types {
		if t == contextType {
			return nil, fmt.Errorf("%s %d: a context must be the first parameter", what, i)
		}
		if kind := liveKind(what, t); kind == "" {
			out = append(out, t)
		} else if e.live == "" {
			e.live = fmt.Sprintf("%s %d is %s, %s", what, i, t, kind)
		}
	}
	return out, nil
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

func (e *Entry) zeroResults() []reflect.Value {
	var zeros []reflect.Value
	for _, t := range e.outTypes() {
		zeros = append(zeros, reflect.Zero(t))
	}
	return zeros
}

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

// Pack packs a call; args are without a leading context. The context's deadline and trace travel with it. The error is a
// *box.PackingError or a *box.EncodingError.
func (e *Entry) Pack(ctx context.Context, args []reflect.Value) (*box.Box, error) {
	if e.live != "" {
		return nil, &box.PackingError{Func: e.name, Why: e.live + " that stays with the caller: a one-shot call cannot bridge it"}
	}
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
	b.Args, err = e.args.Encode(args)
	return b, err
}

// Serve runs the function here. It is the far end of Invoke.
func (e *Entry) Serve(ctx context.Context, packed box.Values) (box.Values, error) {
	args, err := e.args.Decode(packed)
	if err != nil {
		return box.Values{}, box.RefusalOf(err, false)
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
	results, err := e.results.Encode(out)
	if err != nil {
		return box.Values{}, box.RefusalOf(err, true)
	}
	return results, failed
}
