package process_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

// crew is one whose starts and ends can be waited for.
func crew(t *testing.T, cfg process.Config) (c *process.Crew, starts, ends chan int) {
	t.Helper()
	starts, ends = make(chan int, 100), make(chan int, 100)
	c = &process.Crew{Config: cfg, Restart: process.Restart{Attempts: 50}, Begin: func(p *process.Process) {
		p.Subscribe(process.TopicStart, func(e process.Event) { starts <- e.PID })
		p.OnExit(func(e process.Event) { ends <- e.PID })
	}}
	t.Cleanup(func() {
		if err := c.Stop(within(t)); err != nil {
			t.Error(err)
		}
		if left := c.PIDs(); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	})
	return c, starts, ends
}

func take(t *testing.T, from chan int, n int) (pids []int) {
	t.Helper()
	for range n {
		select {
		case pid := <-from:
			pids = append(pids, pid)
		case <-time.After(patience):
			t.Fatalf("%d of %d came", len(pids), n)
		}
	}
	return pids
}

func TestGA41Scale(t *testing.T) {
	c, starts, ends := crew(t, process.Config{Cmdline: "sleep 1000"})
	if err := c.Scale(within(t), 3); err != nil {
		t.Fatal(err)
	}
	first := take(t, starts, 3)
	if got := c.PIDs(); !sameInts(got, first) {
		t.Errorf("%v, not %v", got, first)
	}
	if err := c.Scale(within(t), 1); err != nil { // the newest go
		t.Fatal(err)
	}
	gone := take(t, ends, 2)
	left := c.PIDs()
	if len(left) != 1 || slices.Contains(gone, left[0]) {
		t.Errorf("%v are left, %v went", left, gone)
	}
	// Whoever ends is replaced: reaped, as gaffer has it.
	if err := syscall.Kill(left[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if next := take(t, starts, 1); next[0] == left[0] {
		t.Errorf("%v", next)
	}
	if err := c.Scale(within(t), -1); err == nil {
		t.Error("less than none")
	}
}

func TestGA44All(t *testing.T) {
	c, starts, ends := crew(t, sh("trap 'exit 3' USR1; echo; while :; do sleep 0.02; done"))
	ready := make(chan struct{}, 10)
	c.Config.Outputs = []string{"out"}
	begin := c.Begin
	c.Begin = func(p *process.Process) {
		begin(p)
		_, _ = p.OnOutput("out", func(process.Event) { ready <- struct{}{} })
	}
	if err := c.Scale(within(t), 3); err != nil {
		t.Fatal(err)
	}
	first := take(t, starts, 3)
	for range 3 {
		<-ready
	}
	if err := c.Signal(within(t), syscall.SIGUSR1); err != nil {
		t.Error(err)
	}
	if ended := take(t, ends, 3); !sameInts(ended, first) {
		t.Errorf("%v ended, not %v", ended, first)
	}
	take(t, starts, 3)
	if err := c.Stop(within(t)); err != nil || len(c.Processes()) != 0 {
		t.Errorf("%v, %v are left", err, c.PIDs())
	}
}

func sameInts(a, b []int) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Who flaps is given up, and one that ignores SIGTERM is killed when the context is done.
func TestGA41GivenUp(t *testing.T) {
	var left atomic.Int32
	told := make(chan error, 2)
	c := &process.Crew{Config: process.Config{Cmdline: "false"}, Restart: process.Restart{Window: time.Minute, Retries: -1}}
	c.GivenUp = func(err error, n int) {
		left.Store(int32(n))
		told <- err
	}
	if err := c.Scale(within(t), 2); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var flaps *process.FlappingError
		if err := <-told; !errors.As(err, &flaps) || !strings.Contains(err.Error(), "exit status 1") {
			t.Errorf("%v", err)
		}
	}
	if err := c.Stop(within(t)); err != nil || left.Load() != 0 {
		t.Errorf("%v, %d left", err, left.Load())
	}
	stubborn := role("stubborn")
	stubborn.Grace = process.Duration(time.Hour)
	stubborn.Outputs = []string{"out"}
	ready := make(chan struct{}, 10)
	c = &process.Crew{Config: stubborn, Begin: func(p *process.Process) {
		_, _ = p.OnOutput("out", func(process.Event) { ready <- struct{}{} })
	}}
	if err := c.Scale(within(t), 1); err != nil {
		t.Fatal(err)
	}
	<-ready
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := c.Stop(ctx); err != nil || len(c.PIDs()) != 0 {
		t.Errorf("%v, %v", err, c.PIDs())
	}
}
