package boxtest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
)

var errorType = reflect.TypeFor[error]()

// onward is where a function failed that the function called on another host.
func onward() box.Origin {
	return box.Origin{Func: "db.backup", Via: "ssh=db1", Hops: []string{"ssh db1 app __deliver"}, Run: box.Run{Host: "db1", PID: 7, UID: 33}}
}

// tripCases are errors of a function that itself delivered, and failed there.
func tripCases() []Case {
	return []Case{
		{Name: "a failure of a further delivery",
			Make: func() error {
				return fmt.Errorf("backup: %w", box.FaultOf(&fs.PathError{Op: "write", Path: "/b", Err: syscall.ENOSPC}).Err(onward()))
			},
			also: all(is(syscall.ENOSPC), as[*fs.PathError](nil), furtherTrip(box.Returned))},
		{Name: "a panic of a further delivery",
			Make: func() error {
				return box.PanicFault(fmt.Errorf("deep: %w", io.EOF), []byte("goroutine 1 [running]:\nmain.deep()\n\t/src/deep.go:1\n")).Err(onward())
			},
			also: all(is(io.EOF), furtherTrip(box.Panicked), as(func(t testing.TB, got, _ *box.PanicError) {
				value, ok := got.Value.(error)
				equal(t, "an error as Value", ok, true)
				equal(t, "Value is io.EOF", errors.Is(value, io.EOF), true)
				equal(t, "Stack", strings.Contains(got.Stack, "deep.go:1"), true)
			}))},
		{Name: "a panic of a further delivery with a number",
			Make: func() error { return box.PanicFault(42, nil).Err(onward()) },
			also: all(furtherTrip(box.Panicked), as(func(t testing.TB, got, _ *box.PanicError) { equal(t, "Value", got.Value, any(42)) }))},
		{Name: "an exit of a further delivery",
			Make: func() error { return fmt.Errorf("backup: %w", box.ExitFault(3).Err(onward())) },
			also: furtherTrip(box.Exited)},
		{Name: "a delivery that did not arrive",
			Make: func() error {
				return box.NewDeliveryError(box.DeliveryError{Op: "start", Func: "db.backup", Via: "ssh=db1", Fate: box.Started,
					Err: &box.TransportError{Hop: "ssh=db1", Argv: []string{"ssh", "db1"}, ExitCode: 255, Stderr: "no route", Err: syscall.EHOSTUNREACH}})
			},
			also: all(is(syscall.EHOSTUNREACH), as(func(t testing.TB, got, own *box.DeliveryError) {
				equal(t, "Op", got.Op, own.Op)
				equal(t, "Fate", got.Fate, own.Fate)
			}), as(func(t testing.TB, got, own *box.TransportError) {
				equal(t, "TransportError", fmt.Sprint(got.Argv, got.ExitCode, got.Stderr), fmt.Sprint(own.Argv, own.ExitCode, own.Stderr))
			}), func(t testing.TB, got, _ error) {
				equal(t, "the stack of the delivery in %+v", strings.Contains(fmt.Sprintf("%+v", got), "trip.go:"), true)
			})},
		{Name: "another build over there",
			Make: func() error {
				return &box.VersionSkewError{Local: "a", Remote: "b", Diff: []string{"chown is missing"}}
			},
			also: as(func(t testing.TB, got, own *box.VersionSkewError) { equal(t, "Diff", got.Diff[0], own.Diff[0]) })},
		{Name: "a box that could not be packed",
			Make: func() error {
				return errors.Join(&box.PackingError{Func: "f", Why: "no such function"}, &box.EncodingError{What: "arg 1", Path: ".A", Why: "bad", Err: io.EOF})
			},
			also: all(is(io.EOF), as[*box.PackingError](nil), as[*box.EncodingError](nil))},
	}
}

// furtherTrip wants the RemoteError of the further delivery inside, with its origin, and both trips in %+v.
func furtherTrip(kind box.Kind) func(testing.TB, error, error) {
	return func(t testing.TB, got, _ error) {
		t.Helper()
		inner := tripTo(got, "db.backup")
		if inner == nil {
			t.Fatalf("there is no RemoteError from db.backup in %+v", got)
		}
		equal(t, "Kind", inner.Kind, kind)
		if want := onward(); !reflect.DeepEqual(inner.Origin, want) {
			t.Errorf("Origin is %+v; want %+v", inner.Origin, want)
		}
		if kind == box.Exited {
			equal(t, "Code", inner.Code, 3)
		}
		detail := fmt.Sprintf("%+v", got)
		for _, part := range []string{"caused by: ", "via ssh=db1", "hop ssh db1 app __deliver", "uid 33", "on db1"} {
			if !strings.Contains(detail, part) {
				t.Errorf("%%+v has no %q:\n%s", part, detail)
			}
		}
	}
}

// tripTo finds the RemoteError of the function with that name.
func tripTo(err error, function string) *box.RemoteError {
	if e, ok := err.(*box.RemoteError); ok && e.Origin.Func == function {
		return e
	}
	switch x := err.(type) {
	case interface{ Unwrap() []error }:
		for _, next := range x.Unwrap() {
			if e := tripTo(next, function); e != nil {
				return e
			}
		}
	case interface{ Unwrap() error }:
		if next := x.Unwrap(); next != nil {
			return tripTo(next, function)
		}
	}
	return nil
}
