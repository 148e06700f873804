//go:build linux

package serve

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// tooLong is how long anything may take to be gone after a death.
const tooLong = 5 * time.Second

// nothingLeft waits until no worker, guardian, connector or child of a function is left.
func nothingLeft(t *testing.T, after string) {
	t.Helper()
	st.WaitForSurvivors(t, 0, tooLong, after)
	for begin := time.Now(); ; time.Sleep(3 * time.Millisecond) {
		list := connectors(t)
		if len(list) == 0 {
			return
		}
		if time.Since(begin) > tooLong {
			t.Fatalf("%s: still there: %+v", after, list)
		}
	}
}

func connectors(t *testing.T) []stage.Process {
	t.Helper()
	list, err := st.Root.Processes()
	must(t, err)
	return slices.DeleteFunc(list, func(p stage.Process) bool {
		return len(p.Argv) < 2 || p.Argv[1] != handover.Verb || p.State == "Z"
	})
}

// A victim is a call of stubborn through a server, by a caller in another process.
type victim struct {
	srv              *server
	caller           *exec.Cmd
	worker, guardian int
	ended            *bufio.Reader
}

func newVictim(t *testing.T, srv *server) *victim {
	t.Helper()
	v := &victim{srv: srv}
	v.caller = exec.Command(st.Binary) //nolint:noctx // the test ends it
	v.caller.Env = append(os.Environ(), "SERVE_ROLE="+v.srv.via().String())
	v.caller.Stderr = os.Stderr
	out, err := v.caller.StdoutPipe()
	must(t, err)
	must(t, v.caller.Start())
	t.Cleanup(func() { _ = v.caller.Process.Kill(); _ = v.caller.Wait() })
	v.ended = bufio.NewReader(out)
	line, err := v.ended.ReadString('\n')
	if _, scanned := fmt.Sscanf(line, "running %d", &v.worker); scanned != nil || err != nil {
		t.Fatalf("the caller said %q, %v", line, err)
	}
	list, err := st.Children(v.srv.Cmd.Process.Pid)
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("children of the server: %+v", list)
	}
	v.guardian = list[0].PID
	return v
}

// TestKilling: whichever part is killed, nothing of the call is left, and the caller hears of it. A part that is stopped is
// as good as dead for whoever ends the call.
func TestKilling(t *testing.T) {
	testKilling(t, 3, func(t *testing.T) *server { return serve(t, settings{}) })
}

// TestKillingTLS: the same over TCP, where the end of a process is the end of a connection.
func TestKillingTLS(t *testing.T) {
	testKilling(t, 1, func(t *testing.T) *server { return serveTLS(t, newPKI(t), settings{}) })
}

func testKilling(t *testing.T, rounds int, serve func(t *testing.T) *server) {
	st.NeedRoot(t)
	kill := func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }
	for _, c := range []struct {
		name string
		kill func(t *testing.T, v *victim) error
		hear bool // the caller lives, and is told
	}{
		{"the caller", func(_ *testing.T, v *victim) error { return v.caller.Process.Kill() }, false},
		{"the connector", func(t *testing.T, _ *victim) error { return kill(connectors(t)[0].PID) }, true},
		{"the server", func(_ *testing.T, v *victim) error { return v.srv.Cmd.Process.Kill() }, true},
		{"the worker", func(_ *testing.T, v *victim) error { return kill(v.worker) }, true},
		{"the guardian", func(_ *testing.T, v *victim) error { return kill(v.guardian) }, true},
		{"connector and server", func(t *testing.T, v *victim) error {
			connector := connectors(t)[0].PID
			must(t, v.srv.Cmd.Process.Kill())
			_ = kill(connector) // it may be faster
			return nil
		}, true},
		{"the caller, of a stopped worker", func(t *testing.T, v *victim) error {
			must(t, syscall.Kill(v.worker, syscall.SIGSTOP))
			return v.caller.Process.Kill()
		}, false},
		{"the connector, of a stopped worker", func(t *testing.T, v *victim) error {
			must(t, syscall.Kill(v.worker, syscall.SIGSTOP))
			return kill(connectors(t)[0].PID)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range rounds {
				v := newVictim(t, serve(t))
				must(t, c.kill(t, v))
				if c.hear {
					if line, err := v.ended.ReadString('\n'); err != nil || !strings.HasPrefix(line, "ended") {
						t.Fatalf("the caller said %q, %v", line, err)
					}
				}
				nothingLeft(t, "kill -9 of "+c.name)
			}
		})
	}
}

// TestCancel: a function that does not listen ends with its call, and the server goes on.
func TestCancel(t *testing.T) {
	st.NeedRoot(t)
	srv := serve(t, settings{})
	out := watch("running")
	ctx, cancel := context.WithCancel(limited(t))
	done := make(chan error, 1)
	go func() {
		done <- stubborn.On(delivery.Once{Via: srv.via(), Stdout: out, Grace: 100 * time.Millisecond})(ctx)
	}()
	<-out.found
	cancel()
	var e *box.DeliveryError
	if err := <-done; !asDelivery(err, &e) || e.Fate != box.Stopped {
		t.Errorf("%+v", err)
	}
	nothingLeft(t, "cancel")
	_, err := whoami.On(delivery.Once{Via: srv.via()})()
	must(t, err)
}

// TestDrain: a server that is to end takes no more calls, lets those that run end, and then ends.
func TestDrain(t *testing.T) {
	srv := serve(t, settings{})
	out := watch("running")
	type outcome struct {
		text string
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		text, err := pause.On(delivery.Once{Via: srv.via(), Stdout: out})(limited(t), 500*time.Millisecond)
		done <- outcome{text, err}
	}()
	<-out.found
	must(t, srv.Cmd.Process.Signal(syscall.SIGTERM))
	srv.Wait(t, "msg=ending", "connections=1")
	if _, err := whoami.On(delivery.Once{Via: srv.via()})(); err == nil {
		t.Error("it takes calls while it ends")
	}
	if got := <-done; got.err != nil || got.text != "done" {
		t.Errorf("the call that ran: %+v", got)
	}
	srv.Wait(t, "msg=ended", "socket=")
	must(t, srv.Cmd.Wait())
	if _, err := os.Lstat(srv.path); !os.IsNotExist(err) {
		t.Errorf("its socket is left: %v", err)
	}
}

// TestDrainIsBounded: a function that does not end keeps a server only so long.
func TestDrainIsBounded(t *testing.T) {
	st.NeedRoot(t)
	srv := serve(t, settings{Options: delivery.ServeOptions{Drain: 100 * time.Millisecond}})
	out := watch("running")
	done := make(chan error, 1)
	go func() { done <- stubborn.On(delivery.Once{Via: srv.via(), Stdout: out})(limited(t)) }()
	<-out.found
	begin := time.Now()
	srv.Term(t)
	if took := time.Since(begin); took > tooLong {
		t.Errorf("it took %s", took)
	}
	if err := <-done; err == nil {
		t.Error("the function did not end by itself")
	}
	nothingLeft(t, "the end of the server")
}

// TestStale: the socket of a dead server is replaced; of a living one, and of what is no socket, it is not.
func TestStale(t *testing.T) {
	srv := serve(t, settings{})
	again := launch(t, settings{Options: delivery.ServeOptions{Socket: srv.path}})
	if said := again.Rest(); !strings.Contains(said, delivery.ErrServed.Error()) {
		t.Errorf("two servers on one socket: %s", said)
	}
	must(t, srv.Cmd.Process.Kill())
	_ = srv.Cmd.Wait()
	next := serve(t, settings{Options: delivery.ServeOptions{Socket: srv.path}})
	_, err := whoami.On(delivery.Once{Via: next.via()})()
	must(t, err)
	next.Term(t)

	must(t, os.WriteFile(srv.path, []byte("precious"), 0o600))
	fails := launch(t, settings{Options: delivery.ServeOptions{Socket: srv.path}})
	if said := fails.Rest(); !strings.Contains(said, "it stays") {
		t.Errorf("a file in the place of the socket: %s", said)
	}
	if text, err := os.ReadFile(srv.path); err != nil || string(text) != "precious" {
		t.Errorf("it was replaced: %q, %v", text, err)
	}
}
