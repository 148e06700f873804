package process_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/internal/trampoline"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/registry"
)

// TestMain does what delivery.Main does of it: the test binary plays the trampoline, and the programs of the tests.
func TestMain(m *testing.M) {
	process.Register()
	registry.Seal()
	if trampoline.Asked(os.Args) {
		trampoline.Main(os.Args)
	}
	if role := os.Getenv("PROCESS_TEST_ROLE"); role != "" {
		play(role)
	}
	goleak.VerifyTestMain(m)
}

// play is a program that is run.
func play(role string) {
	switch role {
	case "signals": // gaffer's dummy: notes what comes, and ends with QUIT or TERM
		got := make(chan os.Signal, 10)
		signal.Notify(got, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1)
		fmt.Print("START")
		for s := range got {
			switch s {
			case syscall.SIGQUIT:
				fmt.Print("QUITSTOP")
				os.Exit(0)
			case syscall.SIGTERM:
				fmt.Print("STOP")
				os.Exit(0)
			default:
				fmt.Print(process.SignalName(s.(syscall.Signal)))
			}
		}
	case "stubborn": // ignores SIGTERM, and so does its child
		signal.Ignore(syscall.SIGTERM)
		p, err := process.Start(process.Config{Cmdline: "sleep 1000"}, process.Stdio{Stdout: os.Stdout})
		if err != nil {
			os.Exit(1)
		}
		fmt.Println(p.PID())
		select {}
	}
	os.Exit(64)
}

// patience is for what a busy machine takes long for.
const patience = time.Minute

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// role is a Config that runs the test binary.
func role(name string) process.Config {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return process.Config{Name: name, Argv: []string{exe}, Env: map[string]string{"PROCESS_TEST_ROLE": name}}
}

func sh(script string) process.Config {
	return process.Config{Name: "script", Argv: []string{"/bin/sh", "-c", script}}
}

func prepare(t *testing.T, c process.Config, stdio ...process.Stdio) *process.Process {
	t.Helper()
	p, err := process.New(c, stdio...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func start(t *testing.T, p *process.Process) {
	t.Helper()
	if err := p.Start(within(t)); err != nil {
		t.Fatal(err)
	}
}

// started is prepare and start.
func started(t *testing.T, c process.Config, stdio ...process.Stdio) *process.Process {
	t.Helper()
	p := prepare(t, c, stdio...)
	start(t, p)
	return p
}

func wait(t *testing.T, p *process.Process) process.State {
	t.Helper()
	s, err := p.Wait(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// text gathers what comes, and lets one wait for it.
type text struct {
	mu   sync.Mutex
	more sync.Cond
	all  strings.Builder
}

func newText() *text {
	x := &text{}
	x.more.L = &x.mu
	return x
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all.Write(p)
	x.more.Broadcast()
	return len(p), nil
}

func (x *text) hear(e process.Event) { _, _ = x.Write(e.Data) }

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.all.String()
}

// until waits for a text to be there.
func (x *text) until(t *testing.T, want string) {
	t.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		x.mu.Lock()
		late = true
		x.mu.Unlock()
		x.more.Broadcast()
	})
	defer timer.Stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	for !strings.Contains(x.all.String(), want) {
		if late {
			t.Fatalf("%q never came, but %q", want, x.all.String())
		}
		x.more.Wait()
	}
}

// output runs something to its end, and returns what it says.
func output(t *testing.T, c process.Config) string {
	t.Helper()
	x := newText()
	if s := wait(t, started(t, c, process.Stdio{Stdout: x, Stderr: x})); !s.Success() {
		t.Errorf("%s: %s", c.Name, &s)
	}
	return strings.TrimSpace(x.String())
}

// gone waits until a process of another parent is.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if s, err := process.StatsOf(context.Background(), pid, 0); err != nil || s.Status == "zombie" {
			return
		}
	}
	t.Errorf("process %d lives", pid)
}
