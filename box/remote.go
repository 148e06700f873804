package box

import (
	"errors"
	"reflect"
	"slices"
)

// RemoteError is the function's own failure, rebuilt in the caller. That it is one says that the box arrived and the
// function failed; a *[DeliveryError] says that the box did not arrive.
//
// Inside is the original, so errors.Is and errors.As hold as they would for a local call: errors of the standard
// library, errors registered with [RegisterError] and sentinels known to [RegisterSentinel] come back as what they
// were. Other errors in the tree come back as a *RemoteError again, with Type, Msg and Stack.
//
// A call that failed in the function it called on yet another host gives a RemoteError inside a RemoteError.
type RemoteError struct {
	Kind   Kind   // how the function ended
	Type   string // the Go type of the error, or of the panic's value, as in "*fs.PathError"; empty for sudden ends
	Msg    string // the text of the error, or of the panic's value
	Stack  string // the remote stack, if the error carried one, or the end had one
	Code   int    // the exit status, for Exited
	Signal string // the signal, for Killed, such as "SIGTERM"; for Crashed, if one was the reason
	Origin Origin // where it comes from

	bare   bool    // the image of one error inside the tree of another
	inner  []error // the rebuilt errors
	is     []error // the sentinels that the original said it is
	null   error   // the original, if it was a nil pointer; it must not be asked anything
	traits Traits
	here   stack // where the caller got it
}

// Error is the text that the error has on the far side, as a local call would give it; "panic: " comes before the
// text of a panic.
func (e *RemoteError) Error() string {
	if e.Kind == Panicked {
		return "panic: " + e.Msg
	}
	return e.Msg
}

// Unwrap gives the rebuilt errors.
func (e *RemoteError) Unwrap() []error { return e.inner }

// Is says yes to the registered sentinels that the original said yes to.
func (e *RemoteError) Is(target error) bool {
	if target == nil || len(e.is) == 0 || !canCompare(target) {
		return false
	}
	return slices.Contains(e.is, target)
}

// As finds the original if it was a nil pointer. It is not in Unwrap, because errors.Is would call its methods.
func (e *RemoteError) As(target any) bool {
	if e.null == nil {
		return false
	}
	into := reflect.ValueOf(target).Elem()
	if !reflect.TypeOf(e.null).AssignableTo(into.Type()) {
		return false
	}
	into.Set(reflect.ValueOf(e.null))
	return true
}

// Timeout says whether an error in the tree said that it is a timeout.
func (e *RemoteError) Timeout() bool {
	if e.traits.has(hasTimeout) {
		return e.traits.has(isTimeout)
	}
	for _, err := range e.inner {
		var t interface{ Timeout() bool }
		if errors.As(err, &t) && t.Timeout() {
			return true
		}
	}
	return false
}

// below is everything that e wraps, with what Unwrap must not show.
func (e *RemoteError) below() []error {
	if e == nil {
		return nil
	}
	if e.null != nil {
		return append(slices.Clip(e.inner), e.null)
	}
	return e.inner
}

// image is e, also for the types that embed it.
func (e *RemoteError) image() *RemoteError { return e }

// bareOf is err as the image of one error inside a tree; nil if it is none.
func bareOf(err error) *RemoteError {
	if _, ok := err.(*PanicError); ok {
		return nil
	}
	i, ok := err.(interface{ image() *RemoteError })
	if !ok {
		return nil
	}
	if e := i.image(); e != nil && e.bare {
		return e
	}
	return nil
}

// remoteRuntime is the image of a runtime.Error.
type remoteRuntime struct{ *RemoteError }

// RuntimeError makes it a runtime.Error.
func (remoteRuntime) RuntimeError() {}

// remoteNet is the image of an error with Timeout and Temporary, that is of a net.Error.
type remoteNet struct{ *RemoteError }

// Temporary makes it a net.Error.
func (e remoteNet) Temporary() bool { return e.traits.has(isTemporary) }
