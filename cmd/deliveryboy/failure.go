package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/spelling"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A usageError is a command line that cannot be understood.
type usageError struct {
	what  string // "flag", "function"
	value string // quoted; empty if there is none
	why   string // and what to do
	err   error  // the cause, if there is one
}

func (e *usageError) Error() string {
	text := e.what
	if e.value != "" {
		text += " " + e.value
	}
	if e.why != "" {
		text += ": " + e.why
	}
	if e.err != nil {
		text += ": " + e.err.Error()
	}
	return text
}

func (e *usageError) Unwrap() error { return e.err }

// A signalError is the signal that asked this program to end.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return "stopped by signal: " + e.signal.String() }

// A timeoutError is a call that took longer than it was allowed to.
type timeoutError struct {
	after time.Duration
	err   error // the function's, or the delivery's
}

func (e *timeoutError) Error() string {
	return fmt.Sprintf("--timeout \"%s\": the call did not end in time; give it longer: %s", e.after, e.err.Error())
}
func (e *timeoutError) Unwrap() error { return e.err }

// An outputError is a result that could not be written.
type outputError struct{ err error }

func (e *outputError) Error() string { return "the result cannot be written: " + e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// interrupted is err, and the signal that led to it.
func interrupted(ctx context.Context, err error) error {
	var by *signalError
	if errors.As(context.Cause(ctx), &by) && !errors.As(err, new(*signalError)) {
		return errors.Join(by, err)
	}
	return err
}

// message is an error in one line.
func message(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// classify makes a usage error of what cobra found before a command ran.
func (t *terminal) classify(err error) error {
	if errors.As(err, new(*usageError)) || t.started {
		return err
	}
	return &usageError{what: "command line", why: "see deliveryboy --help", err: err}
}

// flagError says what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &empty):
		return &usageError{what: "flag", value: quote("--" + empty.GetSpecifiedName()), why: "it needs a value"}
	case errors.As(err, &invalid):
		why := invalid.Unwrap()
		if errors.As(why, new(*strconv.NumError)) {
			why = fmt.Errorf("not a %s", invalid.GetFlag().Value.Type())
		}
		return &usageError{what: "--" + invalid.GetFlag().Name, value: quote(invalid.GetValue()), why: why.Error()}
	case errors.As(err, &syntax):
		return &usageError{what: "flag", value: quote(syntax.GetSpecifiedFlag()), why: "it is no flag"}
	}
	return &usageError{what: "flags", err: err}
}

func unknownFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	name := unknown.GetSpecifiedName()
	e := &usageError{what: "flag", value: quote("--" + name), why: "unknown flag; see " + cmd.CommandPath() + " --help"}
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		e.value = quote("-" + short)
		e.why = "unknown flag; put -- before arguments that begin with -"
		return e
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := spelling.Near(name, known, 1); len(near) > 0 {
		e.why = "unknown flag; did you mean --" + near[0] + "?"
	}
	return e
}

// quote is s for an error: quoted, and cut at 80 bytes.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}
