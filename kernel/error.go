package kernel

import (
	"errors"
	"fmt"
)

// A Code is the kind of an Error, as it stands in a reply of the machine mode.
type Code string

// What can go wrong with a command.
const (
	Usage       Code = "usage"       // the command is wrong; it never works
	NotFound    Code = "notfound"    // no such thing, or one of another user
	Exists      Code = "exists"      // the name is taken by something that differs
	Denied      Code = "denied"      // not for this user
	Limit       Code = "limit"       // more than there may be
	Unavailable Code = "unavailable" // not now, or not on this system; it may work later or elsewhere
	Failed      Code = "failed"      // the system said no, for instance to a bind
)

// The kinds of errors, for errors.Is.
var (
	ErrUsage       = errors.New("wrong command")
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("exists already")
	ErrDenied      = errors.New("permission denied")
	ErrLimit       = errors.New("limit reached")
	ErrUnavailable = errors.New("not available")
	ErrFailed      = errors.New("failed")
)

var kinds = map[Code]error{
	Usage: ErrUsage, NotFound: ErrNotFound, Exists: ErrExists, Denied: ErrDenied, Limit: ErrLimit,
	Unavailable: ErrUnavailable, Failed: ErrFailed,
}

// An Error is what the kernel answers to a command that it did not carry out.
type Error struct {
	Code Code
	Text string // for people: what, why, and what to do
}

// Errorf makes an Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return "kernel: " + e.Text }

// Unwrap is the error of the code, such as ErrNotFound.
func (e *Error) Unwrap() error { return kinds[e.Code] }
