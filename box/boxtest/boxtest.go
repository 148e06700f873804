// Package boxtest holds the errors that must survive a trip, for the tests of everything that carries them.
//
// The same list runs over the codec alone, over a worker in a pipe, over sudo and over ssh:
//
//	var fail = registry.Register("boxtest.fail", boxtest.Make)
//
//	for _, c := range boxtest.Errors() {
//		t.Run(c.Name, func(t *testing.T) { c.Check(t, fail.On(courier)(c.Name)) })
//	}
package boxtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
)

// Case is one error: how it comes about on the far side, and what must hold for it in the caller.
type Case struct {
	Name  string
	Make  func() error                       // makes the error; runs on the far side
	Check func(t testing.TB, err error)      // checks what came back
	also  func(t testing.TB, got, own error) // what Check checks besides the rules for all; own is from here
}

// Errors are all cases. Each Make gives the same text wherever it runs.
func Errors() []Case {
	cases := slices.Concat(fileCases(), processCases(), netCases(), jsonCases(), parseCases(), treeCases(),
		sentinelCases(), ownCases(), tripCases())
	for i := range cases {
		c := cases[i]
		cases[i].Check = func(t testing.TB, err error) {
			t.Helper()
			c.check(t, err)
		}
	}
	return cases
}

// Make makes the error of the case with that name. It is the function to register.
func Make(name string) error {
	for _, c := range Errors() {
		if c.Name == name {
			return c.Make()
		}
	}
	return fmt.Errorf("boxtest: no case %q", name)
}

// check holds every case to the rules for all: it is a *box.RemoteError, and has the text that a local call would give.
func (c Case) check(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("the error is nil; want %q", textOf(c.Make()))
	}
	remote, ok := err.(*box.RemoteError)
	if !ok {
		t.Fatalf("the error is a %T; want a *box.RemoteError", err)
	}
	if remote.Kind != box.Returned {
		t.Errorf("its kind is %v; want %v", remote.Kind, box.Returned)
	}
	own := c.Make()
	if got, want := err.Error(), textOf(own); got != want {
		t.Errorf("its text is %q; want %q", got, want)
	}
	c.also(t, err, own)
}

// textOf is the text that fmt gives, which comes through the Error method of a nil pointer.
func textOf(err error) string { return fmt.Sprintf("%v", err) }

// is wants errors.Is to hold for all targets.
func is(targets ...error) func(testing.TB, error, error) {
	return func(t testing.TB, got, _ error) {
		t.Helper()
		for _, target := range targets {
			if !errors.Is(got, target) {
				t.Errorf("errors.Is(err, %v) is false", target)
			}
		}
	}
}

// as wants errors.As to find a T, and hands it to same together with the one from here.
func as[T error](same func(t testing.TB, got, own T)) func(testing.TB, error, error) {
	return func(t testing.TB, got, own error) {
		t.Helper()
		var gotT, ownT T
		if !errors.As(own, &ownT) {
			t.Fatalf("the case itself has no %T: %v", ownT, own)
		}
		if !errors.As(got, &gotT) {
			t.Fatalf("errors.As(err, *%T) is false for %+v", gotT, got)
		}
		if same != nil {
			same(t, gotT, ownT)
		}
	}
}

// all wants all of them.
func all(checks ...func(testing.TB, error, error)) func(testing.TB, error, error) {
	return func(t testing.TB, got, own error) {
		t.Helper()
		for _, check := range checks {
			check(t, got, own)
		}
	}
}

// equal wants two values to be the same.
func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v; want %v", what, got, want)
	}
}

// remoteOf finds the image of an error that has no type of its own here.
func remoteOf(err error, typ string) *box.RemoteError {
	if e, ok := err.(*box.RemoteError); ok && e.Type == typ {
		return e
	}
	switch x := err.(type) {
	case interface{ Unwrap() []error }:
		for _, next := range x.Unwrap() {
			if e := remoteOf(next, typ); e != nil {
				return e
			}
		}
	case interface{ Unwrap() error }:
		if next := x.Unwrap(); next != nil {
			return remoteOf(next, typ)
		}
	}
	return nil
}

// image wants the image of an error of that type in the tree.
func image(typ string) func(testing.TB, error, error) {
	return func(t testing.TB, got, _ error) {
		t.Helper()
		if remoteOf(got, typ) == nil {
			t.Errorf("there is no *box.RemoteError with Type %q in %+v", typ, got)
		}
	}
}
