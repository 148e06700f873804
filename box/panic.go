package box

import (
	"fmt"
	"strings"
)

// PanicError is a panic of the function, which was recovered for it on the far side.
//
// Value is what was panicked with: an error (rebuilt as in a [RemoteError]), a string, or a value of a basic type such
// as int or bool. Any other value comes as its %v text; Type says what it was. errors.Is and errors.As look into Value
// if it is an error; errors.As finds the embedded *[RemoteError], with Kind Panicked and the remote stack, as well.
type PanicError struct {
	Value any
	*RemoteError
}

// Error is "panic: " and the value.
func (e *PanicError) Error() string {
	if e.RemoteError == nil {
		return fmt.Sprintf("panic: %v", e.Value)
	}
	return e.RemoteError.Error()
}

// Unwrap gives the RemoteError, and through it the value if that is an error.
func (e *PanicError) Unwrap() []error {
	if e.RemoteError != nil {
		return []error{e.RemoteError}
	}
	if err, ok := e.Value.(error); ok {
		return []error{err}
	}
	return nil
}

// Is leaves the question to what Unwrap gives.
func (e *PanicError) Is(error) bool { return false }

// As leaves the question to what Unwrap gives.
func (e *PanicError) As(any) bool { return false }

// Timeout says whether the value is an error that is a timeout.
func (e *PanicError) Timeout() bool { return e.RemoteError != nil && e.RemoteError.Timeout() }

// Format prints everything that is known with %+v, as for a RemoteError.
func (e *PanicError) Format(s fmt.State, verb rune) {
	formatWithDetail(s, verb, e.Error(), func() string {
		if e.RemoteError == nil {
			return ""
		}
		return e.RemoteError.detail()
	})
}

func (e *PanicError) below() []error { return e.Unwrap() }

// adopt takes the RemoteError back after a trip, and with it a value that is an error or a text.
func (e *PanicError) adopt(causes []error) bool {
	if len(causes) != 1 {
		return false
	}
	r, ok := causes[0].(*RemoteError)
	if !ok || r.bare {
		return false
	}
	e.RemoteError = r
	if e.Value == nil {
		e.Value = r.panicValue()
	}
	return true
}

// panicValue is the value of a panic that was no basic one: an error inside, a nil pointer, or a text.
func (e *RemoteError) panicValue() any {
	switch {
	case len(e.inner) > 0:
		return e.inner[0]
	case e.null != nil:
		return e.null
	}
	return e.Msg
}

// packValue makes the node of a panic's value that is no error.
func packValue(value any) Node {
	n := Node{Type: typeName(value), Msg: cut(valueText(value), maxFaultText), Traits: isValue}
	var w fieldWriter
	if w.basic(value) == nil && len(w.b) <= maxFaultText {
		n.Fields = w.b
	}
	return n
}

// valueText is the %v text of a panic's value, whatever its methods do.
func valueText(value any) string {
	text := "a value whose text cannot be made"
	quietly(func() { text = fmt.Sprint(value) })
	return text
}

// unpackPanic rebuilds the value of a panic, and completes top with it.
func unpackPanic(nodes []Node, top *RemoteError) any {
	u := newUnpacker(nodes)
	if len(u.nodes) == 0 {
		top.Msg = "a value that did not travel"
		return top.Msg
	}
	if n := &u.nodes[0]; n.Traits.has(isValue) {
		top.Type, top.Msg = cut(n.Type, maxFaultName), cut(n.Msg, maxFaultText)
		if value := decodeBasic(n.Fields); value != nil {
			return value
		}
		return top.Msg
	}
	e, original := u.image(0, 0)
	top.Type, top.Msg, top.null = e.Type, e.Msg, e.null
	if e.null == nil {
		top.inner = []error{e.shed(original)}
	}
	if top.Stack == "" {
		top.Stack = u.stack
	}
	return top.panicValue()
}

// belowPanic is a stack without the frames of the deferred function that took it: it starts where the panic was.
func belowPanic(stack string) string {
	head, frames, ok := strings.Cut(stack, "\n")
	if !ok || !strings.HasPrefix(head, "goroutine ") {
		return stack
	}
	i := strings.Index("\n"+frames, "\npanic(")
	if i < 0 {
		return stack
	}
	lines := strings.SplitN(frames[i:], "\n", 3) // the call, its place, the rest
	if len(lines) < 3 {
		return stack
	}
	return head + "\n" + lines[2]
}
