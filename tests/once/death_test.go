package once

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

// rounds is how often each kind of death is tried; ONCE_ROUNDS says it for a longer run.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("ONCE_ROUNDS")); err == nil {
		return n
	}
	return 5
}

func itoa(n int) string { return strconv.Itoa(n) }

func noSurvivors(t *testing.T, after string) {
	t.Helper()
	st.WaitForSurvivors(t, 0, 2*time.Second, after)
}

// deathTargets are the ways that matter for death; each starts and ends differently.
func deathTargets() []target {
	var out []target
	for _, tg := range targets() {
		if tg.name != "sudo to another user" && tg.name != "userns" {
			out = append(out, tg)
		}
	}
	return out
}

func TestCancelStopsTheFunction(t *testing.T) {
	st.NeedRoot(t)
	for at, tg := range deathTargets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			for i := range rounds() {
				out := &live{word: "running", done: make(chan struct{})}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error, 1)
				marker := filepath.Join("/tmp", fmt.Sprintf("marker-%d-%d-%d", os.Getpid(), at, i)) // root may not write in /tmp what is another user's
				go func() { done <- sleepy.On(delivery.Once{Via: tg.via, Stdout: out})(ctx, marker) }()
				<-out.done
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) || kindOf(err) != box.Returned {
					t.Fatalf("round %d: %+v", i, err)
				}
				noSurvivors(t, "cancel")
			}
		})
	}
}

func TestCancelStopsAFunctionThatDoesNotListen(t *testing.T) {
	st.NeedRoot(t)
	for _, tg := range deathTargets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			out := &live{word: "running", done: make(chan struct{})}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() {
				done <- stubborn.On(delivery.Once{Via: tg.via, Stdout: out, Grace: 200 * time.Millisecond})(ctx)
			}()
			<-out.done
			cancel()
			err := <-done
			var e *box.DeliveryError
			if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Fate != box.Stopped {
				t.Fatalf("%+v", err)
			}
			noSurvivors(t, "cancel")
		})
	}
}

func TestDeadlineStopsAFunctionThatDoesNotListen(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	err := stubborn.On(delivery.Once{Via: transport.Sudo{}, Stdout: io.Discard, Grace: 100 * time.Millisecond})(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", err)
	}
	noSurvivors(t, "deadline")
}

func TestChildrenDoNotOutliveTheCall(t *testing.T) {
	st.NeedRoot(t)
	for _, tg := range deathTargets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			if err := forks.On(delivery.Once{Via: tg.via})("1000"); err != nil {
				t.Fatal(err)
			}
			noSurvivors(t, "return")
		})
	}
}

// playRole is the caller that is going to be killed.
func playRole(role string) {
	port, _ := strconv.Atoi(os.Getenv("ONCE_PORT"))
	ssh := transport.SSH{Host: "127.0.0.1", Port: port, User: os.Getenv("ONCE_USER"), ConfigFile: os.Getenv("ONCE_CONFIG")}
	via := map[string]transport.Transport{
		"self": transport.Self{}, "sudo": transport.Sudo{}, "ssh": ssh, "ssh then sudo": transport.Chain{ssh, transport.Sudo{}},
	}[role]
	err := stubborn.On(delivery.Once{Via: via})(context.Background())
	fmt.Println("ended", err)
	os.Exit(1)
}

// victim starts a caller in another process, and returns when the function that it delivers runs.
func victim(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(st.Binary)
	cmd.Env = append(os.Environ(), "ONCE_ROLE="+role, "ONCE_PORT="+itoa(st.SSHPort), "ONCE_USER="+st.User, "ONCE_CONFIG="+st.SSHConfig)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "running") {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the victim said %q, %v", line, err)
	}
	return cmd
}

func TestKillingTheCallerEndsTheWorker(t *testing.T) {
	st.NeedRoot(t)
	for _, tg := range deathTargets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			for range rounds() {
				cmd := victim(t, tg.name)
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait()
				noSurvivors(t, "kill -9 of the caller")
			}
		})
	}
}

// transportOf finds the transport's own process: the child of this one that is not the shared ssh connection.
func transportOf(t *testing.T, name string) int {
	t.Helper()
	found, err := st.Children(os.Getpid(), name)
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s runs, %v", name, err)
	}
	return found[0].PID
}

func TestKillingTheTransportEndsTheWorker(t *testing.T) {
	st.NeedRoot(t)
	for _, tg := range deathTargets() {
		program, _, _ := strings.Cut(tg.name, " ")
		if program == "self" {
			continue // there is nothing between
		}
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			for range rounds() {
				out := &live{word: "running", done: make(chan struct{})}
				done := make(chan error, 1)
				go func() { done <- stubborn.On(delivery.Once{Via: tg.via, Stdout: out})(context.Background()) }()
				<-out.done
				if err := st.Root.Kill(transportOf(t, program), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				err := <-done
				if err == nil || strings.HasSuffix(err.Error(), "EOF") {
					t.Fatalf("the caller was told %v", err)
				}
				noSurvivors(t, "kill -9 of "+program)
			}
		})
	}
}

func TestASuspendedTransportIsEnded(t *testing.T) {
	st.NeedRoot(t)
	st.NeedSudo(t)
	out := &live{word: "running", done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sleepy.On(delivery.Once{Via: transport.Sudo{}, Stdout: out})(ctx, "") }()
	<-out.done
	if err := st.Root.Kill(transportOf(t, "sudo"), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%+v", err)
	}
	noSurvivors(t, "a suspended sudo")
}
