package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// A worker, its guardian if it has one, and what its function left, after a death: gone within this, or the test fails.
// How long it took is printed; THREATS has the goals.
const tooLong = 5 * time.Second

// times are how long something took, round after round.
type times []time.Duration

func (l times) String() string {
	if len(l) == 0 {
		return "never"
	}
	s := slices.Sorted(slices.Values(l))
	return fmt.Sprintf("%d rounds: median %s, longest %s", len(s), s[len(s)/2].Round(time.Millisecond/10), s[len(s)-1].Round(time.Millisecond/10))
}

// victim starts a caller in another process, and returns when the function that it delivers runs.
func victim(t *testing.T, kind string, tg target) *exec.Cmd {
	t.Helper()
	cmd := play(t, "caller:"+kind+":"+tg.name)
	cmd.Stderr = &races
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line(t, bufio.NewReader(out), "running")
	return cmd
}

func TestKillingTheCaller(t *testing.T) {
	st.NeedRoot(t)
	overAll(t, func(t *testing.T, tg target) {
		for _, kind := range []string{"session", "once"} {
			var all times
			for range rounds() {
				cmd := victim(t, kind, tg)
				must(t, cmd.Process.Kill())
				_ = cmd.Wait()
				all = append(all, st.WaitForSurvivors(t, 0, tooLong, "kill -9 of the caller"))
			}
			t.Logf("%s: everything was gone after: %s", kind, all)
		}
	})
}

// cast are the processes of one session.
type cast struct{ transport, guardian, worker int }

// castOf finds them.
func castOf(t *testing.T, tg target, worker int) cast {
	t.Helper()
	c := cast{worker: worker}
	if tg.program != "" {
		found, err := st.Children(os.Getpid(), tg.program)
		must(t, err)
		if len(found) != 1 {
			t.Fatalf("%d processes are %s: %v", len(found), tg.program, found)
		}
		c.transport = found[0].PID
	}
	all, err := st.Root.Processes()
	must(t, err)
	at := func(pid int) stage.Process {
		for _, p := range all {
			if p.PID == pid {
				return p
			}
		}
		t.Fatalf("there is no process %d", pid)
		return stage.Process{}
	}
	if parent := at(at(worker).PPID); tg.guardian {
		if !strings.HasPrefix(parent.Argv[0], st.Binary) || parent.UID != 0 {
			t.Fatalf("the worker's parent is no guardian: %+v", parent)
		}
		c.guardian = parent.PID
	}
	return c
}

// TestKillingAPart kills each process between the caller and the function, one per round.
func TestKillingAPart(t *testing.T) {
	st.NeedRoot(t)
	overAll(t, func(t *testing.T, tg target) {
		for _, part := range []string{"transport", "guardian", "worker"} {
			if part == "transport" && tg.program == "" || part == "guardian" && !tg.guardian {
				continue // this way has none
			}
			t.Run(part, func(t *testing.T) {
				var knew, gone times
				for range rounds() {
					k, g := killPart(t, tg, part)
					knew, gone = append(knew, k), append(gone, g)
				}
				t.Logf("the caller knew after: %s; everything was gone after: %s", knew, gone)
			})
		}
	})
}

func killPart(t *testing.T, tg target, part string) (knew, gone time.Duration) {
	t.Helper()
	before := used(t)
	s := openRough(t, tg, session.Options{})
	me, err := whoami.On(s)()
	must(t, err)
	running, done := make(chan bool, 1), make(chan error, 1)
	go func() {
		done <- stubborn.On(s)(context.WithoutCancel(t.Context()), func() error { running <- true; return nil })
	}()
	arrives(t, "the function", running)
	c := castOf(t, tg, me.PID)
	begin := time.Now()
	must(t, st.Root.Kill(map[string]int{"transport": c.transport, "guardian": c.guardian, "worker": c.worker}[part], syscall.SIGKILL))
	err = arrives(t, "the end of the call", done)
	knew = time.Since(begin)
	var lost *session.LostError
	var r *box.RemoteError
	switch {
	case errors.As(err, &lost) && lost.Started:
	case errors.As(err, &r) && r.Kind == box.Killed && part != "transport":
	case errors.As(err, &r) && r.Kind == box.Killed && tg.program == "sudo": // which ends itself as its command does
	default:
		t.Fatalf("after kill -9 of the %s: %+v", part, err)
	}
	if strings.HasSuffix(err.Error(), "EOF") {
		t.Errorf("after kill -9 of the %s it says nothing: %v", part, err)
	}
	if part == "worker" && !tg.guardian {
		// Nobody watched over it: its children, which have no more rights than this process, are on their own.
		waitUntilGone(t, c.worker)
		gone = time.Since(begin)
		must(t, st.Sweep())
	}
	st.WaitForSurvivors(t, 0, tooLong, "kill -9 of the "+part)
	if gone == 0 {
		gone = time.Since(begin)
	}
	_ = s.Close()
	before.remains(t, "kill -9 of the "+part)
	return knew, gone
}

func waitUntilGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(tooLong); ; time.Sleep(time.Millisecond) {
		alive, err := st.Root.Alive(pid)
		must(t, err)
		if !alive {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// TestDeadlineEndsWhatDoesNotListen has a function that ignores its context and every signal, and hides its children;
// in half of the rounds its worker is stopped besides.
func TestDeadlineEndsWhatDoesNotListen(t *testing.T) {
	st.NeedRoot(t)
	const deadline, grace = 500 * time.Millisecond, 200 * time.Millisecond
	for _, kind := range []string{"deaf", "stopped"} {
		t.Run(kind, func(t *testing.T) {
			overAll(t, func(t *testing.T, tg target) {
				var late times
				for range rounds() {
					late = append(late, overdue(t, tg, kind == "stopped", deadline, grace))
				}
				t.Logf("after deadline and grace the caller returned within: %s", late)
			})
		})
	}
}

func overdue(t *testing.T, tg target, stop bool, deadline, grace time.Duration) (late time.Duration) {
	t.Helper()
	before := used(t)
	s := openRough(t, tg, session.Options{Grace: grace})
	me, err := whoami.On(s)()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	begin := time.Now()
	err = stubborn.On(s)(ctx, func() error {
		if stop {
			_ = st.Root.Kill(me.PID, syscall.SIGSTOP)
		}
		return nil
	})
	late = time.Since(begin) - deadline - grace
	var e *box.DeliveryError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) {
		t.Fatalf("%+v", err)
	}
	if stop && tg.name == "ssh" {
		// Nobody over there watches over it, as it has no more rights than the user: it ends when it runs again.
		if e.Fate == box.Stopped || e.Fate == box.NotStarted {
			t.Errorf("nobody can know that it is gone, and its fate is %v", e.Fate)
		}
		must(t, st.Root.Kill(me.PID, syscall.SIGCONT))
	} else if e.Fate != box.Stopped {
		t.Errorf("its fate is %v; everything is gone, and the caller should know: %v", e.Fate, err)
	}
	st.WaitForSurvivors(t, 0, tooLong, "the deadline")
	_ = s.Close()
	before.remains(t, "the deadline")
	return late
}

// TestCooperativeDeadline has a function that listens: the session goes on.
func TestCooperativeDeadline(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s := open(t, tg, session.Options{})
		var late times
		for range rounds() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			begin := time.Now()
			err := wait.On(s)(ctx, func() error { return nil })
			late = append(late, time.Since(begin)-100*time.Millisecond)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%+v", err)
			}
		}
		if next.On(s)(1) != 2 {
			t.Error("the session does not go on")
		}
		t.Logf("after the deadline the caller returned within: %s", late)
	})
}

// TestChildrenDoNotOutliveTheSession leaves children of all kinds in a session that is closed.
func TestChildrenDoNotOutliveTheSession(t *testing.T) {
	st.NeedRoot(t)
	overAll(t, func(t *testing.T, tg target) {
		s := openRough(t, tg, session.Options{})
		must(t, forks.On(s)())
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		st.WaitForSurvivors(t, 0, tooLong, "Close")
	})
}
