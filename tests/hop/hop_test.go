//go:build linux

package hop

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/session/hop"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestConformance: a worker behind a session does all that a worker does.
func TestConformance(t *testing.T) {
	st.NeedSudo(t)
	t.Run("self", func(t *testing.T) {
		via := transport.Chain{hop.Through(open(t, transport.Self{})), transport.Sudo{}}
		t.Run("once", func(t *testing.T) {
			if testing.Short() {
				t.Skip("as a session; HOP_FULL=1 runs it")
			}
			couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: via} })
		})
		t.Run("session", func(t *testing.T) {
			couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, via) })
		})
	})
	t.Run("ssh", func(t *testing.T) {
		st.NeedSSH(t)
		via := transport.Chain{hop.Through(open(t, sshHop())), transport.Sudo{}}
		couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, via) })
	})
	nothingLeft(t, "the suite")
}

// TestWho: the chain goes on behind the session, sessions go through sessions, and the programs run where that is.
func TestWho(t *testing.T) {
	st.NeedSudo(t)
	gate := open(t, transport.Self{})
	root := open(t, transport.Chain{hop.Through(gate), transport.Sudo{}})
	for _, c := range []struct {
		via transport.Transport
		uid int
	}{
		{hop.Through(gate), st.UID},
		{transport.Chain{hop.Through(gate), transport.Sudo{User: st.Second}}, st.SecondUID},
		{hop.Through(root), 0},
		{transport.Chain{hop.Through(root), transport.Sudo{User: st.Second}}, st.SecondUID},
	} {
		got, err := whoami.On(open(t, c.via))()
		if err != nil || got.UID != c.uid {
			t.Errorf("%s: %+v, %v; want uid %d", c.via, got, err, c.uid)
		}
	}
	who, err := whoami.On(gate)()
	must(t, err)
	inner, err := whoami.On(open(t, hop.Through(gate)))()
	must(t, err)
	if inner.Parent != who.PID {
		t.Errorf("the worker's parent is %d, want that of the session, %d", inner.Parent, who.PID)
	}
	if got := (transport.Chain{hop.Through(root), transport.Sudo{}}).String(); got != `via=via=self/\/sudo//sudo` {
		t.Errorf("as text it is %s", got)
	}
}

// TestNarrowed: a worker that is narrowed to functions is a hop only if that is one of them.
func TestNarrowed(t *testing.T) {
	closed := open(t, transport.Self{}, session.Options{Only: []string{"whoami"}})
	_, err := whoami.On(delivery.Once{Via: hop.Through(closed)})()
	var d *box.DeliveryError
	if !errors.As(err, &d) || d.Fate != box.NotStarted || d.Hop != "via=self" ||
		!strings.Contains(err.Error(), "narrowed to other functions") || strings.Contains(err.Error(), "no answer within") {
		t.Errorf("%+v", err)
	}
	allows := open(t, transport.Self{}, session.Options{Only: []string{"whoami", hop.Name}})
	_, err = whoami.On(delivery.Once{Via: hop.Through(allows)})()
	must(t, err)
}

// TestErrors: what goes wrong behind a session is told of the hop that it happened at, and how functions end comes back.
func TestErrors(t *testing.T) {
	st.NeedSudo(t)
	gate := open(t, transport.Self{})
	through := hop.Through(gate)
	program := "/nonexistent/app"
	for _, c := range []struct {
		name string
		o    delivery.Once
		hop  string
		text string
	}{
		{"no user", delivery.Once{Via: transport.Chain{through, transport.Sudo{User: "no-such-user"}}}, "sudo=no-such-user", transport.ReasonUnknownUser},
		{"no program", delivery.Once{Via: through, Program: program}, "via=self", "no such file"},
		{"no program behind sudo", delivery.Once{Via: transport.Chain{through, transport.Sudo{}}, Program: program}, "sudo", transport.ReasonNotFound},
		{"no server", delivery.Once{Via: transport.Chain{through, transport.Socket{Path: "/run/none.sock"}}}, "socket=/run/none.sock", transport.ReasonRefused},
	} {
		_, err := whoami.On(c.o)()
		var e *box.TransportError
		var d *box.DeliveryError
		if !errors.As(err, &e) || !errors.As(err, &d) || d.Hop != c.hop || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %+v; want the hop %s, %q", c.name, err, c.hop, c.text)
		}
	}
	var remote *box.RemoteError
	if err := exit.On(delivery.Once{Via: transport.Chain{through, transport.Sudo{}}})(7); !errors.As(err, &remote) || remote.Kind != box.Exited || remote.Code != 7 {
		t.Errorf("os.Exit(7) came back as %+v", err)
	}
	if _, err := transport.Build(transport.Chain{transport.Sudo{}, through}, []string{"/opt/app", "__deliver"}); err == nil || !strings.Contains(err.Error(), "first hop") {
		t.Errorf("behind another hop: %v", err)
	}
	if _, err := whoami.On(delivery.Once{Via: hop.Hop{}})(); err == nil || !strings.Contains(err.Error(), "there is no session") {
		t.Errorf("without a session: %v", err)
	}
	ended := openRough(t, transport.Self{})
	must(t, ended.Close())
	if _, err := whoami.On(delivery.Once{Via: hop.Through(ended)})(); !errors.Is(err, session.ErrClosed) || !strings.Contains(err.Error(), "via=self") {
		t.Errorf("through a session that is closed: %v", err)
	}
}

// running starts a call of stubborn on a session, and returns when it runs.
func running(t *testing.T, s *session.Session, out *spotter) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- stubborn.On(s)() }()
	select {
	case <-out.found:
	case err := <-done:
		t.Fatalf("it ended: %v", err)
	case <-time.After(3 * time.Minute):
		t.Fatal("it does not run")
	}
	return done
}

// TestDeaths: the end of a session ends what goes through it, whatever ends it, and not the other way round.
func TestDeaths(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	for _, c := range []struct {
		name string
		end  func(t *testing.T, gate, inner *session.Session, gatePID int)
		gate bool // goes on
		lost bool // the call says that the session is
	}{
		{"the session's worker is killed", func(t *testing.T, _, _ *session.Session, pid int) { must(t, syscall.Kill(pid, syscall.SIGKILL)) }, false, true},
		{"the session's worker gets SIGTERM", func(t *testing.T, _, _ *session.Session, pid int) { must(t, syscall.Kill(pid, syscall.SIGTERM)) }, false, true},
		{"the session is closed", func(t *testing.T, gate, _ *session.Session, _ int) { must(t, gate.Close()) }, false, true},
		{"the inner worker is killed", func(t *testing.T, _, inner *session.Session, _ int) {
			who, err := whoami.On(inner)()
			must(t, err)
			must(t, st.Root.Kill(who.PID, syscall.SIGKILL))
		}, true, false}, // the error is the worker's end, since no other call was in flight
		{"the inner session is closed", func(t *testing.T, _, inner *session.Session, _ int) {
			_ = inner.Close() // a function that does not listen has to be forced
		}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate := openRough(t, transport.Self{})
			who, err := whoami.On(gate)()
			must(t, err)
			out := watch("running")
			inner := openRough(t, transport.Chain{hop.Through(gate), transport.Sudo{}}, session.Options{Stdout: out, Grace: 200 * time.Millisecond})
			done := running(t, inner, out)
			c.end(t, gate, inner, who.PID)
			select {
			case err = <-done:
			case <-time.After(3 * time.Minute):
				t.Fatal("the call does not end")
			}
			if err == nil || c.lost && !errors.Is(err, session.ErrLost) {
				t.Errorf("the call: %+v", err)
			}
			if !c.gate && !strings.Contains(err.Error(), "via=self") {
				t.Errorf("the hop has no name in: %v", err)
			}
			if _, err := whoami.On(gate)(); (err == nil) != c.gate {
				t.Errorf("the session that it goes through: %v", err)
			}
			if c.gate {
				must(t, gate.Close())
			}
			nothingLeft(t, c.name)
		})
	}
}

// TestCallerKilled: nothing is left of either session when their caller is killed.
func TestCallerKilled(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	caller := exec.Command(st.Binary) //nolint:noctx // the test ends it
	caller.Env = append(os.Environ(), "HOP_ROLE=caller")
	caller.Stderr = os.Stderr
	out, err := caller.StdoutPipe()
	must(t, err)
	must(t, caller.Start())
	t.Cleanup(func() { _ = caller.Process.Kill(); _ = caller.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "running") {
		t.Fatalf("the caller said %q, %v", line, err)
	}
	must(t, caller.Process.Kill())
	nothingLeft(t, "kill -9 of the caller")
}

// TestCancel: a cancelled call ends its worker, not the session that it goes through, and leaves nothing here.
func TestCancel(t *testing.T) {
	gate := open(t, transport.Self{})
	once := func() error {
		out := watch("running")
		ctx, cancel := context.WithCancel(limited(t))
		defer cancel()
		s, err := delivery.Open(ctx, hop.Through(gate), session.Options{Stdout: out, Grace: 100 * time.Millisecond})
		must(t, err)
		done := running(t, s, out)
		_ = s.Close()
		return <-done
	}
	_ = once()
	before := runtime.NumGoroutine()
	for range 3 {
		if err := once(); err == nil {
			t.Error("the call did not end by itself")
		}
	}
	_, err := whoami.On(gate)()
	must(t, err)
	for deadline := time.Now().Add(3 * time.Minute); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, before there were %d\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
	if out, err := whoami.On(delivery.Once{Via: hop.Through(gate)})(); err != nil || out.UID != st.UID {
		t.Errorf("%+v, %v", out, err)
	}
}
