package couriertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

var (
	mix = registry.Register("couriertest.mix", func(caller, n int, pad []byte) (int, string, []byte) {
		return caller*1000 + n, fmt.Sprint(caller, n), pad
	})
	talk   = registry.Register("couriertest.talk", talkative)
	child  = registry.Register("couriertest.child", childTalks)
	hold   = registry.Register("couriertest.hold", holdOn)
	left   = registry.Register("couriertest.left", timeLeft)
	traced = registry.Register("couriertest.traced", func(ctx context.Context) map[string]string { return box.TraceOf(ctx) })
)

// testConcurrency has 32 callers, each of which must get its own answers.
func testConcurrency(t *testing.T, c box.Courier) {
	const callers = 32
	calls := 8
	if testing.Short() {
		calls = 2
	}
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			pad := bytes.Repeat([]byte{byte(caller)}, caller*997)
			for n := range calls {
				err := try(func() {
					sum, s, got := mix.On(c)(caller, n, pad)
					if sum != caller*1000+n || s != fmt.Sprint(caller, n) || !bytes.Equal(got, pad) {
						t.Errorf("caller %d, call %d got %d, %q and %d bytes", caller, n, sum, s, len(got))
					}
				})
				if err != nil {
					t.Errorf("caller %d, call %d: %v", caller, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// talkative writes through its context's writers, and returns how much.
func talkative(ctx context.Context, lines int) (int, error) {
	total := 0
	for i := range lines {
		n, err := fmt.Fprintf(box.Stdout(ctx), "line %d of %d\x00\r\n", i, lines)
		if err != nil {
			return total, err
		}
		total += n
	}
	_, err := io.WriteString(box.Stderr(ctx), "\xffno newline")
	return total, err
}

// childTalks has a process print.
func childTalks(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", "echo out; echo err >&2")
	cmd.Stdout, cmd.Stderr = box.Stdout(ctx), box.Stderr(ctx)
	return cmd.Run()
}

func testOutput(t *testing.T, c box.Courier) {
	want := func(lines int) string {
		var b strings.Builder
		for i := range lines {
			fmt.Fprintf(&b, "line %d of %d\x00\r\n", i, lines)
		}
		return b.String()
	}
	// When a call has returned, its output is there: no waiting.
	for _, lines := range []int{0, 1, 3, 20_000} {
		var out, err bytes.Buffer
		n, failed := talk.On(c)(box.WithOutput(limited(t), &out, &err), lines)
		must(t, failed)
		if text := want(lines); out.String() != text || n != len(text) || err.String() != "\xffno newline" {
			t.Errorf("%d lines: %d bytes of %d on stdout, %q on stderr", lines, out.Len(), len(text), err.String())
		}
	}
	var out, err bytes.Buffer
	must(t, child.On(c)(box.WithOutput(limited(t), &out, &err)))
	if out.String() != "out\n" || err.String() != "err\n" {
		t.Errorf("a child: %q, %q", out.String(), err.String())
	}
	var wg sync.WaitGroup
	for lines := range 8 {
		wg.Go(func() {
			var out bytes.Buffer
			if _, err := talk.On(c)(box.WithOutput(limited(t), &out, io.Discard), lines*50); err != nil || out.String() != want(lines*50) {
				t.Errorf("%d lines beside others: %d bytes, %v", lines*50, out.Len(), err)
			}
		})
	}
	wg.Wait()
	// A writer that fails does not fail the call.
	if _, err := talk.On(c)(box.WithOutput(limited(t), broken{}, io.Discard), 100); err != nil && !inside(c) {
		t.Errorf("with a writer that fails: %v", err)
	}
}

// broken is a full disk.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// holdOn says that it runs, and returns when its context ends. It leaves a file if it could clean up.
func holdOn(ctx context.Context, running func() error, marker string) (string, error) {
	_ = running() // its answer may be late for a call that is cancelled
	<-ctx.Done()
	if marker != "" {
		if err := os.WriteFile(marker, []byte("cleaned up"), 0o600); err != nil {
			return "", err
		}
	}
	return "cleaned up", ctx.Err()
}

func testCancel(t *testing.T, c box.Courier) {
	for range 3 {
		ctx, cancel := context.WithCancel(limited(t))
		running, done := make(chan bool, 1), make(chan error, 1)
		var word string
		go func() {
			var err error
			word, err = hold.On(c)(ctx, func() error { running <- true; return nil }, "")
			done <- err
		}()
		arrives(t, "the function", running)
		select {
		case err := <-done:
			t.Fatalf("it returned before it was cancelled: %v", err)
		default:
		}
		cancel()
		err := arrives(t, "the end of the call", done)
		if !errors.Is(err, context.Canceled) || kindOf(err) != box.Returned || word != "cleaned up" {
			t.Fatalf("%q, %+v", word, err)
		}
	}
	ctx, cancel := context.WithCancel(limited(t))
	cancel()
	_, err := hold.On(c)(ctx, func() error { return nil }, "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before the call: %v", err)
	}
	if got := text.On(c)("on"); got != "on" {
		t.Errorf("after cancelled calls: %q", got)
	}
}

// timeLeft is how long the function's context still has; -1 for ever.
func timeLeft(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return -1
	}
	return time.Until(deadline)
}

func testDeadline(t *testing.T, c box.Courier) {
	if got := left.On(c)(context.Background()); got != -1 {
		t.Errorf("without a deadline the function has %s", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if got := left.On(c)(ctx); got > time.Hour || got < time.Hour-time.Minute {
		t.Errorf("of an hour the function has %s", got)
	}
	// Long enough for a cold start, short enough to wait for.
	ctx, cancel = context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	begin := time.Now()
	word, err := hold.On(c)(ctx, func() error { return nil }, "")
	if !errors.Is(err, context.DeadlineExceeded) || kindOf(err) != box.Returned || word != "cleaned up" {
		t.Errorf("%q, %+v after %s", word, err, time.Since(begin))
	}
	past, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	if _, err := hold.On(c)(past, func() error { return nil }, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deadline that has passed: %v", err)
	}
	if got := text.On(c)("on"); got != "on" {
		t.Errorf("after deadlines: %q", got)
	}
}

func testTrace(t *testing.T, c box.Courier) {
	want := map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1"}
	got := traced.On(c)(box.WithTrace(context.Background(), want))
	if len(got) != len(want) || got["traceparent"] != want["traceparent"] || got["tracestate"] != want["tracestate"] {
		t.Errorf("sent %v, got %v", want, got)
	}
	if got := traced.On(c)(context.Background()); len(got) != 0 {
		t.Errorf("without a trace the function has %v", got)
	}
}
