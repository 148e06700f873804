package process

import (
	"errors"
	"runtime"
	"syscall"
	"testing"
)

// A child whose number somebody is just using is not reaped: the number might be another process's then.
func TestReapWaitsForWhoUsesTheNumber(t *testing.T) {
	for name, there := range map[string]bool{"known to have ended": true, "not known": false} {
		t.Run(name, func(t *testing.T) {
			ch, err := spawn(Config{Name: "ends", Argv: []string{"/bin/sh", "-c", "exit 3"}}, nil, true)
			if err != nil {
				t.Fatal(err)
			}
			pid := ch.proc.Pid
			if !awaitEnd(pid) {
				t.Fatal("its end does not show before it is reaped")
			}
			ch.mu.Lock() // as those have it who signal the child
			type end struct {
				State
				error
			}
			reaped := make(chan end, 1)
			go func() {
				s, err := ch.reap(there)
				reaped <- end{s, err}
			}()
			for range 10_000 {
				if err := syscall.Kill(pid, 0); err != nil {
					t.Errorf("process %d: %v", pid, err)
					break
				}
				runtime.Gosched()
			}
			ch.mu.Unlock()
			if e := <-reaped; e.error != nil || e.Code != 3 || e.State.PID != pid || e.MaxRSS == 0 {
				t.Errorf("%+v", e)
			}
			if err := ch.signal(syscall.SIGTERM); !errors.Is(err, ErrDone) {
				t.Errorf("a signal after the end: %v", err)
			}
			ch.kill() // must do nothing
			if !ch.reaped {
				t.Error("it does not count as reaped")
			}
		})
	}
}

// One that may still run can be killed while it is waited for, and how it ended is told.
func TestReapOfOneThatRuns(t *testing.T) {
	ch, err := spawn(Config{Name: "runs", Argv: []string{"/bin/sleep", "1000"}}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	reaped := make(chan State, 1)
	go func() {
		s, _ := ch.reap(false)
		reaped <- s
	}()
	if err := ch.signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if s := <-reaped; s.Signal != "SIGTERM" || s.Code != -1 || s.Ended.IsZero() {
		t.Errorf("%+v", s)
	}
}
