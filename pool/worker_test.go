package pool_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/session"
)

// EB-07: a worker is replaced after so many tasks.
func TestEB07TasksPerWorker(t *testing.T) {
	p := open(t, pool.Options{Size: 1, MaxTasksPerWorker: 3})
	var pids []int
	for range 9 {
		n, err := pid.On(p)(t.Context())
		must(t, err)
		pids = append(pids, n)
	}
	if distinct(pids) != "3 of 9" || pids[0] != pids[2] || pids[2] == pids[3] {
		t.Errorf("workers %v", pids)
	}
	if s := p.Stats(); s.Replaced[pool.ReplacedSpent] != 3 {
		t.Errorf("%+v", s)
	}
	forever := open(t, pool.Options{Size: 1, MaxTasksPerWorker: -1})
	pids = nil
	for range 250 {
		n, err := pid.On(forever)(t.Context())
		must(t, err)
		pids = append(pids, n)
	}
	if distinct(pids) != "1 of 250" {
		t.Errorf("without a limit there were %s workers", distinct(pids))
	}
}

// EB-34: a worker that hangs is replaced, and the call that hung says why.
func TestEB34HungWorker(t *testing.T) {
	p := open(t, pool.Options{Size: 1, TaskTimeout: 200 * time.Millisecond, Session: session.Options{Grace: 50 * time.Millisecond}})
	before, err := pid.On(p)(t.Context())
	must(t, err)
	err = stubborn.On(p)(t.Context())
	wants(t, err, context.DeadlineExceeded, box.Stopped)
	var late *pool.TimeoutError
	if !errors.As(err, &late) || late.After != 200*time.Millisecond {
		t.Errorf("%+v", err)
	}
	after, err := pid.On(p)(t.Context())
	must(t, err)
	if s := p.Stats(); after == before || s.Replaced[pool.ReplacedHung] != 1 {
		t.Errorf("workers %d and %d, %+v", before, after, s)
	}
}

// A stopped worker does not even hear that it is to end.
func TestEB34StoppedWorker(t *testing.T) {
	p := open(t, pool.Options{Size: 1, TaskTimeout: 300 * time.Millisecond, Session: session.Options{Grace: 50 * time.Millisecond}})
	before, err := pid.On(p)(t.Context())
	must(t, err)
	if err := stopped.On(p)(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", err)
	}
	after, err := pid.On(p)(t.Context())
	must(t, err)
	if s := p.Stats(); after == before || s.Replaced[pool.ReplacedHung] != 1 {
		t.Errorf("workers %d and %d, %+v", before, after, s)
	}
}

// A function that heeds its context ends in time, and its worker stays.
func TestTimeoutThatIsHeeded(t *testing.T) {
	p := open(t, pool.Options{Size: 1, TaskTimeout: 200 * time.Millisecond})
	before, err := pid.On(p)(t.Context())
	must(t, err)
	err = hold.On(p)(context.Background(), func(int) error { return nil }, make(chan bool))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", err)
	}
	if after, err := pid.On(p)(t.Context()); err != nil || after != before {
		t.Errorf("worker %d, then %d, %v", before, after, err)
	}
}

// The call in a worker that dies fails with its own error, and runs once; others do not notice.
func TestDeadWorker(t *testing.T) {
	p := open(t, pool.Options{Size: 2})
	other := hold1(t, p)
	err := exit.On(p)(t.Context(), 3)
	var remote *box.RemoteError
	if !errors.As(err, &remote) || remote.Kind != box.Exited || remote.Code != 3 {
		t.Errorf("%+v", err)
	}
	if err = killed.On(p)(); !errors.As(err, &remote) || remote.Kind != box.Killed {
		t.Errorf("%+v", err)
	}
	_, err = pid.On(p)(t.Context())
	must(t, err)
	must(t, other.release(t))
	if s := p.Stats(); s.Replaced[pool.ReplacedLost] != 2 || s.Repeated != 0 {
		t.Errorf("%+v", s)
	}
}

// A worker that is killed while it does nothing costs nobody a call, or only one that says so.
func TestIdleWorkerDies(t *testing.T) {
	p := open(t, pool.Options{Size: 1})
	for range 20 {
		n, err := pid.On(p)(t.Context())
		must(t, err)
		must(t, syscall.Kill(n, syscall.SIGKILL))
		_, err = harmless.On(p)()
		var remote *box.RemoteError
		if err != nil && (!errors.As(err, &remote) || remote.Kind != box.Killed) { // it was sent before anybody knew
			t.Fatalf("%+v", err)
		}
		becomes(t, p, "a new worker", func(s pool.Stats) bool { return s.Workers == 1 && s.Busy == 0 })
	}
}

// Min workers are kept, more come when they are needed, and end when they are not.
func TestGrowth(t *testing.T) {
	p := open(t, pool.Options{Size: 4, Min: 2, IdleTimeout: 50 * time.Millisecond})
	if s := p.Stats(); s.Workers != 2 || s.Busy != 0 {
		t.Errorf("at first: %+v", s)
	}
	var calls []*held
	for range 4 {
		calls = append(calls, hold1(t, p))
	}
	if s := p.Stats(); s.Workers != 4 || s.Busy != 4 {
		t.Errorf("under load: %+v", s)
	}
	for _, h := range calls {
		must(t, h.release(t))
	}
	s := becomes(t, p, "it shrinks", func(s pool.Stats) bool { return s.Workers == 2 })
	if s.Replaced[pool.ReplacedIdle] != 2 {
		t.Errorf("%+v", s)
	}
	n, err := pid.On(p)(t.Context())
	must(t, err)
	must(t, syscall.Kill(n, syscall.SIGKILL))
	becomes(t, p, "a dead one is replaced", func(s pool.Stats) bool { return s.Replaced[pool.ReplacedLost] == 1 && s.Workers == 2 })
}

func TestNoneBeforeItIsNeeded(t *testing.T) {
	p := open(t, pool.Options{Min: -1, IdleTimeout: 20 * time.Millisecond})
	if s := p.Stats(); s.Workers+s.Starting != 0 {
		t.Errorf("%+v", s)
	}
	_, err := pid.On(p)(t.Context())
	must(t, err)
	becomes(t, p, "it ends", func(s pool.Stats) bool { return s.Workers == 0 })
}

// GA-41: more and fewer workers while it runs.
func TestGA41Scale(t *testing.T) {
	p := open(t, pool.Options{Size: 1, Min: 1})
	if n := p.Scale(2); n != 3 {
		t.Errorf("it has room for %d", n)
	}
	becomes(t, p, "three workers", func(s pool.Stats) bool { return s.Workers == 3 && s.Min == 3 })
	var calls []*held
	for range 3 {
		calls = append(calls, hold1(t, p))
	}
	if n := p.Scale(-100); n != 1 {
		t.Errorf("it has room for %d", n)
	}
	if s := p.Stats(); s.Workers != 3 || s.Busy != 3 {
		t.Errorf("calls that run were disturbed: %+v", s)
	}
	for _, h := range calls {
		must(t, h.release(t))
	}
	s := becomes(t, p, "one worker", func(s pool.Stats) bool { return s.Workers == 1 })
	if s.Replaced[pool.ReplacedScaled] != 2 {
		t.Errorf("%+v", s)
	}
}

// A live result keeps its worker until it was read.
func TestLiveResultKeepsItsWorker(t *testing.T) {
	p := open(t, pool.Options{Size: 1, MaxTasksPerWorker: 1})
	name := filepath.Join(t.TempDir(), "file")
	text := strings.Repeat("0123456789abcdef", 100_000)
	must(t, os.WriteFile(name, []byte(text), 0o600))
	r, err := openFile.On(p)(name)
	must(t, err)
	if s := p.Stats(); s.Busy != 1 {
		t.Errorf("%+v", s)
	}
	got, err := io.ReadAll(r)
	must(t, err)
	must(t, r.Close())
	if string(got) != text {
		t.Errorf("%d bytes came, not %d, or others", len(got), len(text))
	}
	becomes(t, p, "the worker is free", func(s pool.Stats) bool { return s.Busy == 0 && s.Replaced[pool.ReplacedSpent] == 1 })
}

// EB-26: ps shows which process is a worker of a pool.
func TestEB26Title(t *testing.T) {
	if _, err := os.Stat("/proc/self/comm"); err != nil {
		t.Skip("NOT TESTED, no /proc/self/comm: " + err.Error())
	}
	p := open(t, pool.Options{Size: 1})
	if got, err := title.On(p)(); err != nil || got != "pool worker 1" {
		t.Errorf("%q, %v", got, err)
	}
}
