package session

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/session"
)

// TestLostSaysWhatHadStarted kills a worker with a call that runs and one that waits for its turn.
func TestLostSaysWhatHadStarted(t *testing.T) {
	st.NeedRoot(t)
	overAll(t, func(t *testing.T, tg target) {
		before := used(t)
		s := openRough(t, tg, session.Options{Concurrent: 1})
		me, err := whoami.On(s)()
		must(t, err)
		running, ran, waited := make(chan bool, 2), make(chan error, 1), make(chan error, 1)
		go func() { ran <- wait.On(s)(t.Context(), func() error { running <- true; return nil }) }()
		arrives(t, "the function", running)
		go func() { waited <- wait.On(s)(t.Context(), func() error { running <- true; return nil }) }()
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
			if got, err := s.Status(limited(t)); err != nil || got.Queued == 1 {
				break
			}
		}
		begin := time.Now()
		must(t, st.Root.Kill(me.PID, syscall.SIGKILL))
		for _, c := range []struct {
			what    string
			err     error
			started bool
		}{
			{"the call that ran", arrives(t, "the end of the call that ran", ran), true},
			{"the call that waited", arrives(t, "the end of the call that waited", waited), false},
		} {
			var lost *session.LostError
			var e *box.DeliveryError
			if !errors.Is(c.err, session.ErrLost) || !errors.As(c.err, &lost) || !errors.As(c.err, &e) || lost.Started != c.started {
				t.Errorf("%s: %+v", c.what, c.err)
				continue
			}
			if c.started != (e.Fate != box.NotStarted) {
				t.Errorf("%s: its fate is %v", c.what, e.Fate)
			}
			if strings.HasSuffix(c.err.Error(), "EOF") {
				t.Errorf("%s: says nothing: %v", c.what, c.err)
			}
		}
		t.Logf("both knew after %s", time.Since(begin))
		if _, err := whoami.On(s)(); !errors.Is(err, session.ErrLost) {
			t.Errorf("a call afterwards: %v", err)
		}
		_ = s.Close() // says that it was lost, or nothing
		st.WaitForSurvivors(t, 0, 5*time.Second, "a lost session")
		before.remains(t, "a lost session")
	})
}

// TestDialsAgain shows that only functions that may be repeated get a new worker.
func TestDialsAgain(t *testing.T) {
	st.NeedRoot(t)
	overAll(t, func(t *testing.T, tg target) {
		s := open(t, tg, session.Options{})
		old, err := again.On(s)()
		must(t, err)
		must(t, st.Root.Kill(old.PID, syscall.SIGKILL))
		arrives(t, "the end of the worker", s.Done())
		if _, err := whoami.On(s)(); !errors.Is(err, session.ErrLost) {
			t.Errorf("a function that may not be repeated: %v", err)
		}
		got, err := again.On(s)()
		if err != nil || got.PID == old.PID || got.UID != old.UID {
			t.Fatalf("a function that may be repeated: %+v after %+v, %v", got, old, err)
		}
		if there, err := whoami.On(s)(); err != nil || there.PID != got.PID {
			t.Errorf("the others follow: %+v, %v", there, err)
		}
	})
}

// TestExitInASession has a function end the worker: alone, it is its own end; with others, theirs is a loss.
func TestExitInASession(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s := openRough(t, tg, session.Options{})
		defer s.Close()
		err := exit.On(s)(3)
		var r *box.RemoteError
		if !errors.As(err, &r) || r.Kind != box.Exited || r.Code != 3 {
			t.Errorf("os.Exit(3): %+v", err)
		}
		if _, err := whoami.On(s)(); !errors.Is(err, session.ErrLost) {
			t.Errorf("a call afterwards: %v", err)
		}
	})
}

func TestCloseOfABusySession(t *testing.T) {
	st.NeedRoot(t)
	overAll(t, func(t *testing.T, tg target) {
		before := used(t)
		s := openRough(t, tg, session.Options{})
		running, done := make(chan bool, 3), make(chan error, 3)
		for range 3 {
			go func() {
				done <- wait.On(s)(context.WithoutCancel(t.Context()), func() error { running <- true; return nil })
			}()
		}
		for range 3 {
			arrives(t, "the function", running)
		}
		begin := time.Now()
		if err := s.Close(); err != nil {
			t.Errorf("the functions end when they are asked to, and Close says %v", err)
		}
		t.Logf("closed in %s", time.Since(begin))
		for range 3 {
			if err := arrives(t, "the end of a call", done); err == nil {
				t.Error("a call ended well in a session that was closed")
			}
		}
		if _, err := whoami.On(s)(); !errors.Is(err, session.ErrClosed) {
			t.Errorf("a call after Close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
		st.WaitForSurvivors(t, 0, 3*time.Second, "Close")
		before.remains(t, "Close")
	})
}

// TestCloseOfAHungSession closes when a function does not listen, or its whole worker is stopped.
func TestCloseOfAHungSession(t *testing.T) {
	st.NeedRoot(t)
	for _, kind := range []string{"hung", "stopped"} {
		t.Run(kind, func(t *testing.T) {
			overAll(t, func(t *testing.T, tg target) {
				before := used(t)
				s := openRough(t, tg, session.Options{Grace: 200 * time.Millisecond})
				me, err := whoami.On(s)()
				must(t, err)
				running, done := make(chan bool, 1), make(chan error, 1)
				go func() {
					done <- stubborn.On(s)(context.WithoutCancel(t.Context()), func() error { running <- true; return nil })
				}()
				arrives(t, "the function", running)
				if kind == "stopped" {
					must(t, st.Root.Kill(me.PID, syscall.SIGSTOP))
				}
				begin := time.Now()
				err = s.Close()
				took := time.Since(begin)
				t.Logf("closed in %s: %v", took, err)
				var c *session.CloseError
				if kind == "stopped" && (!errors.As(err, &c) || len(c.Steps) == 0 || !c.Gone) {
					t.Errorf("Close does not say what it had to do: %v", err)
				}
				if took > 10*time.Second {
					t.Errorf("Close took %s", took)
				}
				if err := arrives(t, "the end of the call", done); err == nil {
					t.Error("the call ended well")
				}
				if kind == "stopped" && tg.name == "ssh" {
					must(t, st.Root.Kill(me.PID, syscall.SIGCONT)) // nobody over there watches over it
				}
				st.WaitForSurvivors(t, 0, 5*time.Second, "Close")
				before.remains(t, "Close")
			})
		})
	}
}
