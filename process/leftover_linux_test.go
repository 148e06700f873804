package process_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

// soon fails the test if f takes as long as something that hangs.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s hangs", what)
	}
}

// A process that has ended and left others with its outputs can still be stopped, killed and closed, and these with it, unless
// they have left its group.
func TestWhatIsLeftHoldsOutputs(t *testing.T) {
	for _, c := range []struct {
		name, start string
		dies        bool
	}{
		{"in the group", "sh -c 'echo $$; exec sleep 1000' &", true},
		{"in a session of its own", "setsid sh -c 'echo $$; exec sleep 1000' &", false},
	} {
		for how, end := range map[string]func(*process.Process) error{
			"close": (*process.Process).Close,
			"kill":  func(p *process.Process) error { return p.Kill(context.Background()) },
			"stop":  func(p *process.Process) error { _, err := p.Stop(context.Background()); return err },
		} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				t.Parallel()
				cfg := sh(c.start + " exit 3")
				cfg.Grace = process.Duration(20 * time.Millisecond)
				x := newText()
				p, err := process.Start(cfg, process.Stdio{Stdout: x})
				if err != nil {
					t.Fatal(err)
				}
				x.until(t, "\n")
				left, err := strconv.Atoi(strings.TrimSpace(x.String()))
				if err != nil {
					t.Fatal(err)
				}
				if !c.dies {
					defer func() { _ = syscall.Kill(left, syscall.SIGKILL) }()
				}
				ended(t, p)
				soon(t, how, func() {
					if err := end(p); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
						t.Error(err)
					}
					s, err := p.Wait(within(t))
					if s.Code != 3 || (err != nil) == c.dies || err != nil && !errors.Is(err, exec.ErrWaitDelay) {
						t.Errorf("%s, %v", &s, err)
					}
					if err := p.Close(); err != nil {
						t.Error(err)
					}
				})
				if c.dies {
					gone(t, left)
				}
			})
		}
	}
}

// ended waits until the process itself has ended, whatever holds its outputs.
func ended(t *testing.T, p *process.Process) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s, err := process.StatsOf(context.Background(), p.PID(), 0)
		if err != nil || s.Status == "zombie" {
			return
		}
	}
	t.Fatal("it does not end")
}

// Those who fled into sessions of their own, one below the other, are killed as well: the death of one hides the next.
func TestNobodyEscapesAKill(t *testing.T) {
	const script = `
flee() { # a chain of sessions, and in each of them two more
	if [ "$1" -gt 0 ]; then
		setsid sleep 1000 & echo $!
		DEPTH=$(($1-1)) setsid sh -c "$SCRIPT" & echo $!
	fi
	wait
}
flee "$DEPTH"`
	for range 10 {
		x := newText()
		cfg := sh(script)
		cfg.Env = map[string]string{"SCRIPT": script, "DEPTH": "8"}
		p, err := process.Start(cfg, process.Stdio{Stdout: x})
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); strings.Count(x.String(), "\n") < 16 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		pids := strings.Fields(x.String())
		if len(pids) != 16 {
			t.Fatalf("%q", pids)
		}
		if err := p.Kill(within(t)); err != nil {
			t.Fatal(err)
		}
		for _, word := range pids {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			gone(t, pid)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A process that is closed while it starts does not run on.
func TestCloseWhileStarting(t *testing.T) {
	for range 200 {
		p, err := process.New(process.Config{Cmdline: "sleep 1000"})
		if err != nil {
			t.Fatal(err)
		}
		started := make(chan error, 1)
		go func() { started <- p.Start(context.Background()) }()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		err = <-started
		if p.Active() {
			t.Errorf("it runs: %v", err)
			_ = p.Kill(context.Background())
		}
		<-p.Done()
	}
}

// A reader that never ends does not keep a process that is closed.
func TestCloseWithABlockedReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	p, err := process.Start(process.Config{Cmdline: "sleep 1000"}, process.Stdio{Stdin: struct{ *os.File }{r}})
	if err != nil {
		t.Fatal(err)
	}
	soon(t, "close", func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}
