package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

func TestConcurrentLimit(t *testing.T) {
	s := open(t, targetNamed("self"), session.Options{Concurrent: 2})
	ctx, cancel := context.WithCancel(t.Context())
	running, done := make(chan bool, 5), make(chan error, 5)
	for range 5 {
		go func() { done <- wait.On(s)(ctx, func() error { running <- true; return nil }) }()
	}
	arrives(t, "the first", running)
	arrives(t, "the second", running)
	var got session.Status
	for deadline := time.Now().Add(time.Minute); got.Queued != 3 && time.Now().Before(deadline); {
		var err error
		got, err = s.Status(limited(t))
		must(t, err)
	}
	if got.Executing != 2 || got.Queued != 3 {
		t.Errorf("with a limit of 2: %+v", got)
	}
	cancel()
	for range 5 {
		if err := arrives(t, "the end of a call", done); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	if n := next.On(s)(1); n != 2 {
		t.Error("the session does not go on")
	}
}

func TestMaxCalls(t *testing.T) {
	s := openRough(t, targetNamed("self"), session.Options{MaxCalls: 3})
	defer s.Close()
	for range 3 {
		if _, err := whoami.On(s)(); err != nil {
			t.Fatal(err)
		}
	}
	arrives(t, "the end of the worker", s.Done())
	_, err := whoami.On(s)()
	var lost *session.LostError
	if !errors.As(err, &lost) || lost.Started || !strings.Contains(err.Error(), "3") {
		t.Errorf("after the last call: %v", err)
	}
	if got, err := again.On(s)(); err != nil || got.PID == 0 {
		t.Errorf("a function that may be repeated: %v", err)
	}
}

func TestIdleAndLifetime(t *testing.T) {
	idle := openRough(t, targetNamed("self"), session.Options{Idle: 300 * time.Millisecond})
	defer idle.Close()
	stop := busy(t, idle, 1)
	select {
	case <-idle.Done():
		t.Error("a session with a call that runs is not idle")
	case <-time.After(600 * time.Millisecond):
	}
	stop()
	arrives(t, "the end of an idle worker", idle.Done())
	if _, err := whoami.On(idle)(); !errors.Is(err, session.ErrLost) || !strings.Contains(err.Error(), "no call came") {
		t.Errorf("after the idle time: %v", err)
	}
	old := openRough(t, targetNamed("self"), session.Options{Lifetime: time.Second})
	defer old.Close()
	running, done := make(chan bool, 1), make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	go func() { done <- wait.On(old)(ctx, func() error { running <- true; return nil }) }()
	arrives(t, "the function", running)
	if err := arrives(t, "a call that outlasts the lifetime", done); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call that runs when the lifetime ends: %v", err)
	}
	arrives(t, "the end of an old worker", old.Done())
	if _, err := whoami.On(old)(); !errors.Is(err, session.ErrLost) {
		t.Errorf("after the lifetime: %v", err)
	}
}

func TestNarrowing(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s := open(t, tg, session.Options{Only: []string{"whoami", "echo"}})
		if _, err := whoami.On(s)(); err != nil {
			t.Error(err)
		}
		n, err := add.On(s)(limited(t), 1)
		var e *box.DeliveryError
		if !errors.As(err, &e) || e.Fate != box.NotStarted || !strings.Contains(err.Error(), "narrowed") || n != 0 {
			t.Errorf("a function outside of the narrowing: %d, %v", n, err)
		}
		if got := echo.On(s)([]byte("on")); string(got) != "on" {
			t.Error("the session does not go on")
		}
	})
}

func TestNarrowingBySudoers(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	st.Root.SetSudoers(t, st.User+" ALL=(root) NOPASSWD: "+st.Binary+" __deliver echo\\,whoami\n")
	s := open(t, targetNamed("sudo"), session.Options{Only: []string{"echo", "whoami"}})
	if got, err := whoami.On(s)(); err != nil || got.UID != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := session.Open(limited(t), session.Options{Via: transport.Sudo{}, Stderr: &races}); err == nil {
		t.Error("sudo let a worker with all functions pass")
	}
}

func TestPipeline(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s := open(t, tg, session.Options{})
		p := s.Pipeline()
		var sums []*session.Pending[int]
		for range 50 {
			sums = append(sums, session.Queue(p, t.Context(), add, 1))
		}
		begin := time.Now()
		must(t, p.Run(limited(t)))
		for i, sum := range sums {
			if got, err := sum.Result(); got != i+1 || err != nil {
				t.Fatalf("call %d gave %d, %v: out of order", i, got, err)
			}
		}
		t.Logf("50 calls in %s", time.Since(begin))
		p = s.Pipeline()
		one := session.Queue(p, t.Context(), add, 1)
		bad := session.Queue(p, t.Context(), refuse, "no disk")
		behind := session.Queue(p, t.Context(), add, 1000)
		err := p.Run(limited(t))
		if err == nil || err.Error() != "no disk" {
			t.Errorf("the pipeline: %v", err)
		}
		if got, err := one.Result(); got != 51 || err != nil {
			t.Errorf("before the failure: %d, %v", got, err)
		}
		if _, err := bad.Result(); err == nil || err.Error() != "no disk" {
			t.Errorf("the failure: %v", err)
		}
		if _, err := behind.Result(); err == nil || !strings.Contains(err.Error(), "no disk") {
			t.Errorf("behind the failure: %v", err)
		}
		if got, err := add.On(s)(t.Context(), 0); got != 51 || err != nil {
			t.Errorf("what stood behind the failure ran: the total is %d, %v", got, err)
		}
	})
}
