package plugin_test

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// A worker that is stopped answers nothing. The end is bounded all the same, and says what it took.
func TestCloseStopped(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		c, p := openRough(t, tg.via, plugin.Options{Shutdown: 100 * time.Millisecond})
		_, pid := who(t, p)
		suspend(t, pid)
		start := time.Now()
		err := c.Close()
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("it took %s", took)
		}
		var rest *session.CloseError
		if tg.uid != 0 && (!errors.As(err, &rest) || len(rest.Steps) == 0) {
			t.Errorf("%v", err) // behind a guardian the lifeline may have been enough
		}
		if tg.name == "ssh" { // nobody but this user's own shell is there to end it
			must(t, kill(pid, syscall.SIGKILL))
		}
		gone(t, pid)
	})
}

// The same for go-plugin's own Kill, which has no limit by itself, and for a context that is over.
func TestKillStopped(t *testing.T) {
	for name, end := range map[string]func(*plugin.Client){
		"Kill": func(c *plugin.Client) { c.GoPlugin().Kill() },
		"CloseContext": func(c *plugin.Client) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_ = c.CloseContext(ctx)
		},
		"Session": func(c *plugin.Client) { _ = c.Session().Close() },
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			c, p := openRough(t, targets()[0].via, plugin.Options{Shutdown: 100 * time.Millisecond})
			_, pid := who(t, p)
			suspend(t, pid)
			end(c)
			gone(t, pid)
			<-c.Done()
			_ = c.Close() // to close again is harmless
		})
	}
}

// kill sends a signal, as root where that is needed.
func kill(pid int, sig syscall.Signal) error {
	err := syscall.Kill(pid, sig)
	if errors.Is(err, syscall.EPERM) {
		return st.Root.Kill(pid, sig)
	}
	return err
}

// suspend stops a process, and waits until it is.
func suspend(t *testing.T, pid int) {
	t.Helper()
	must(t, kill(pid, syscall.SIGSTOP))
	within(t, "the process to stop", func() bool {
		all, err := st.Root.Processes()
		must(t, err)
		return slices.ContainsFunc(all, func(p stage.Process) bool { return p.PID == pid && p.State == "T" })
	})
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	within(t, "the end of the process", func() bool { return !alive(pid) })
}

// alive reports whether a process is there and has not ended.
func alive(pid int) bool {
	ok, err := st.Root.Alive(pid)
	return err != nil || ok
}
