// Package couriertest is one suite for everything that delivers boxes: whatever the courier, a call through it gives what
// a local call would give.
//
//	func TestMain(m *testing.M) {
//		delivery.Main() // the test binary plays the worker
//		os.Exit(m.Run())
//	}
//
//	func TestCourier(t *testing.T) {
//		couriertest.Run(t, func(t *testing.T) box.Courier { return delivery.Once{Via: transport.Self{}} })
//	}
//
// Importing the package registers the functions that the suite delivers; their names begin with "couriertest.".
//
// Nothing is skipped. What differs between a courier that runs functions in this process and one that has a worker, or
// between a way on which descriptors pass and one on which they do not, is asked of the courier itself, and each of the
// two has its own expectations.
package couriertest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// patience is how long anything may take before it counts as hanging.
const patience = 3 * time.Minute

// life is another text in every process.
var life = rand.Text()

var whose = registry.Register("couriertest.whose", func() string { return life })

// Run holds couriers to the suite. New makes one for each part of it; what has to be closed is closed by t.Cleanup.
func Run(t *testing.T, new func(t *testing.T) box.Courier) {
	for _, part := range []struct {
		name string
		test func(t *testing.T, c box.Courier)
	}{
		{"values", testValues},
		{"large values", testLarge},
		{"errors", testErrors},
		{"panic", testPanic},
		{"Goexit", testGoexit},
		{"unknown function", testUnknown},
		{"concurrency", testConcurrency},
		{"output", testOutput},
		{"cancel", testCancel},
		{"deadline", testDeadline},
		{"trace", testTrace},
		{"reader", testReader},
		{"writer", testWriter},
		{"closers", testClosers},
		{"result stream", testResultStream},
		{"nil", testNil},
		{"Go channels", testGoChannels},
		{"channel", testChannel},
		{"channels over channels", testNestedChannels},
		{"callbacks", testCallbacks},
		{"logger", testLogger},
		{"file system", testFS},
		{"open file", testFile},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, new(t)) })
	}
}

// inside reports whether a courier runs functions in this process.
func inside(c box.Courier) bool { return whose.On(c)() == life }

// limited is a context that ends when a test hangs.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// try returns the error that f panics with: the delivery of a function without an error result fails so.
func try(f func()) (err error) {
	defer func() { err, _ = recover().(error) }()
	f()
	return nil
}

// arrives fails the test if nothing comes from c in time.
func arrives[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %s", what, patience)
	}
	panic("unreachable")
}

// kindOf is how a function ended, -1 for a delivery that failed.
func kindOf(err error) box.Kind {
	var r *box.RemoteError
	if errors.As(err, &r) {
		return r.Kind
	}
	return -1
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}
