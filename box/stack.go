package box

import (
	"fmt"
	"strings"

	"github.com/pkg/errors"
)

// This file is the only one that knows pkg/errors: it takes our own stacks with it, and finds its stacks in the errors
// of others.

// stack is where an error was made.
type stack struct{ trace errors.StackTrace }

// callers is the stack of the caller of its caller, less skip frames.
func callers(skip int) stack {
	trace := errors.New("").(stackTracer).StackTrace()
	if skip += 1; skip < len(trace) {
		trace = trace[skip:]
	}
	return stack{trace}
}

func (s stack) String() string {
	if len(s.trace) == 0 {
		return ""
	}
	return strings.TrimLeft(fmt.Sprintf("%+v", s.trace), "\n")
}

type stackTracer interface{ StackTrace() errors.StackTrace }

// stackOf is the stack that err itself carries, not one of the errors that it wraps; "" if it carries none.
func stackOf(err error) string {
	t, ok := err.(stackTracer)
	if !ok {
		return ""
	}
	return stack{t.StackTrace()}.String()
}
