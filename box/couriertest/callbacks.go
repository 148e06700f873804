package couriertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

var (
	progress = registry.Register("couriertest.progress", progressTo)
	ask      = registry.Register("couriertest.ask", askBack)
	crowd    = registry.Register("couriertest.crowd", crowdCalls)
	outlive  = registry.Register("couriertest.outlive", callsLater)
	later    = registry.Register("couriertest.later", func() string { return <-afterwards })
	block    = registry.Register("couriertest.block", callsAndBlocks)
)

func progressTo(n int, tell func(int, string)) {
	for i := range n {
		tell(i, fmt.Sprint(i))
	}
}

// askBack calls its callback and says what came of it.
func askBack(f func(ctx context.Context, p Parcel, more ...string) (Parcel, error), p Parcel) (Parcel, error) {
	got, err := f(context.Background(), p, "a", "b")
	if err != nil {
		return got, fmt.Errorf("the callback: %w", err)
	}
	return got, nil
}

// crowdCalls calls from many goroutines at once.
func crowdCalls(callers, calls int, f func(caller, call int) int) error {
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for caller := range callers {
		wg.Go(func() {
			for call := range calls {
				if got := f(caller, call); got != caller*1000+call {
					errs[caller] = fmt.Errorf("caller %d, call %d: %d", caller, call, got)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// afterwards is what a callback gives that is called when its call has ended.
var afterwards = make(chan string, 100)

// callsLater returns, and its goroutine calls the callback when its context has ended, which it does with the call.
func callsLater(ctx context.Context, f func() error) {
	go func() {
		<-ctx.Done()
		err := f()
		for until := time.Now().Add(patience); err == nil && time.Now().Before(until); err = f() {
			time.Sleep(time.Millisecond) // the call is just ending
		}
		afterwards <- fmt.Sprint(err)
	}()
}

func callsAndBlocks(ctx context.Context, f func(context.Context) error) error { return f(ctx) }

func testCallbacks(t *testing.T, c box.Courier) {
	n := 0
	progress.On(c)(500, func(i int, s string) {
		if i != n || s != fmt.Sprint(n) {
			t.Errorf("callback %d got %d, %q", n, i, s)
		}
		n++
	})
	if n != 500 {
		t.Errorf("of 500 callbacks %d came before the call returned", n)
	}
	p, err := ask.On(c)(func(ctx context.Context, p Parcel, more ...string) (Parcel, error) {
		p.Slice = append(p.Slice, more...)
		return p, nil
	}, Parcel{Text: "x"})
	if err != nil || p.Text != "x" || fmt.Sprint(p.Slice) != "[a b]" {
		t.Errorf("%+v, %v", p, err)
	}
	p, err = ask.On(c)(func(context.Context, Parcel, ...string) (Parcel, error) { return Parcel{Int: 7}, errBroken }, Parcel{})
	if !errors.Is(err, errBroken) || p.Int != 7 || err.Error() != "the callback: "+errBroken.Error() {
		t.Errorf("a callback that fails: %+v, %v", p, err)
	}
	var calls atomic.Int64
	must(t, crowd.On(c)(16, 20, func(caller, call int) int { calls.Add(1); return caller*1000 + call }))
	if calls.Load() != 320 {
		t.Errorf("%d callbacks ran, want 320", calls.Load())
	}
	testCallbackCalls(t, c)
	testCallbackPanic(t, c)
	testCallbackBlocks(t, c)
	testCallbackLater(t, c)
}

// testCallbackCalls delivers from within a callback, over the same courier.
func testCallbackCalls(t *testing.T, c box.Courier) {
	got, err := ask.On(c)(func(_ context.Context, p Parcel, _ ...string) (Parcel, error) {
		p.Text = text.On(c)("inner " + p.Text)
		return p, nil
	}, Parcel{Text: "x"})
	if err != nil || got.Text != "inner x" {
		t.Errorf("a call within a callback: %q, %v", got.Text, err)
	}
}

// testCallbackPanic has a callback panic: the function sees it, this process goes on.
func testCallbackPanic(t *testing.T, c box.Courier) {
	_, err := ask.On(c)(func(context.Context, Parcel, ...string) (Parcel, error) { panic(errBroken) }, Parcel{})
	if err == nil || !errors.Is(err, errBroken) {
		t.Errorf("a callback that panics: %v", err)
	}
	if got := text.On(c)("on"); got != "on" {
		t.Errorf("after a callback that panicked: %q", got)
	}
}

// testCallbackBlocks cancels while a callback blocks: neither side waits for it for ever.
func testCallbackBlocks(t *testing.T, c box.Courier) {
	ctx, cancel := context.WithCancel(limited(t))
	running, release, done := make(chan bool, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- block.On(c)(ctx, func(ctx context.Context) error {
			running <- true
			select {
			case <-ctx.Done():
			case <-release:
			}
			return ctx.Err()
		})
	}()
	arrives(t, "the callback", running)
	cancel()
	err := arrives(t, "the end of the call", done)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a callback that blocks: %v", err)
	}
	close(release)
}

// testCallbackLater calls when the call has ended: the callback does not run, and the far side gets an error.
func testCallbackLater(t *testing.T, c box.Courier) {
	if inside(c) {
		return // there is no bridge that could end; the function is the caller's own
	}
	var calls atomic.Int64
	outlive.On(c)(limited(t), func() error { calls.Add(1); return nil })
	ran := calls.Load()
	if _, ok := c.(interface{ Alive() bool }); !ok {
		return // its worker has ended with the call
	}
	if got := later.On(c)(); got == "" || got == "<nil>" {
		t.Errorf("a callback after the call gave %q", got)
	}
	if calls.Load() > ran {
		t.Error("a callback ran after its call had ended")
	}
}
