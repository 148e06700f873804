package deploy

import (
	"fmt"
	"strings"
)

// An Error says why the far side could not be given this program.
type Error struct {
	Why   string // in one sentence
	Need  int64  // bytes that the program takes there; 0 if it did not come to that
	Tried []Try  // the places that were tried, in order
	Err   error  // the cause, if there is one
}

// A Try is a place on the far side that could not be used. The texts come from there.
type Try struct {
	Dir  string // its directory
	Free int64  // bytes that are free in it; -1 if that is not known
	Why  string
}

func (t Try) String() string {
	text := fmt.Sprintf("%q: %q", cut(t.Dir), cut(t.Why))
	if t.Free >= 0 {
		text += fmt.Sprintf(" (%s free)", mebibytes(t.Free))
	}
	return text
}

func (e *Error) Error() string {
	text := "deploy: " + e.Why
	if e.Need > 0 {
		text += fmt.Sprintf("; it needs %s", mebibytes(e.Need))
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	tries := make([]string, len(e.Tried))
	for i, t := range e.Tried {
		tries[i] = t.String()
	}
	if len(tries) > 0 {
		text += "; tried " + strings.Join(tries, "; ")
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// mebibytes is a size for people.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// cut shortens what the far side says.
func cut(s string) string { return strings.TrimSpace(s[:min(len(s), 300)]) }
