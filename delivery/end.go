package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/transport"
)

// suddenEnd says what became of a call that brought no reply: cancelled, broken on the way, or ended by the function
// itself together with its process.
func (c *call) suddenEnd(ctx context.Context, err error, gone bool) (*box.Reply, error) {
	switch {
	case ctx.Err() != nil:
		return nil, c.failed("wait", c.fate(gone), c.cancelled(ctx))
	case err != nil:
		return nil, c.failed("wait", c.fate(gone), c.transportError(err, gone))
	case c.stopped != "":
		return nil, c.failed("wait", box.Stopped, errors.New(c.stopped))
	case !c.started || !gone:
		return nil, c.failed("wait", c.fate(gone), c.transportError(errors.New("the worker ended before the function started"), gone))
	}
	fault := c.fault()
	if fault == nil {
		return nil, c.failed("wait", box.Started, c.transportError(errors.New("the connection was lost while the function ran"), gone))
	}
	c.reply = &box.Reply{Fault: fault, Run: box.Run{Host: c.hello.Host, PID: c.hello.PID, UID: c.hello.UID, GID: c.hello.GID}}
	c.complete(gone)
	return c.reply, nil
}

func (c *call) fate(gone bool) box.Fate {
	switch {
	case !c.started:
		return box.NotStarted
	case !gone:
		return box.StillRunning
	}
	return box.Stopped
}

// cancelled is the context's error, with what the worker says about it.
func (c *call) cancelled(ctx context.Context) error {
	if c.stopped == "" {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %s", ctx.Err(), c.stopped)
}

// fault reads from the transport's exit how the worker ended. It is nil if the worker may not have ended at all.
func (c *call) fault() *box.Fault {
	state := c.process.ended
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok {
		return box.ExitFault(state.ExitCode())
	}
	if status.Signaled() && !crashSignals[status.Signal()] {
		return box.SignalFault(signalName(status.Signal()), status.Signal() == syscall.SIGKILL && c.oom.happened())
	}
	if crash, ok := box.CrashFault(string(c.process.said.Kept)); ok && !state.Success() {
		return crash
	}
	if status.Signaled() {
		return box.SignalFault(signalName(status.Signal()), false)
	}
	code := status.ExitStatus()
	if !c.throughShell() {
		return box.ExitFault(code)
	}
	switch {
	case code == 255 && lostConnection(string(c.process.said.Kept)):
		return nil
	case code == 255: // ssh does not tell which signal ended the worker
		return box.SignalFault("", false)
	case code > 128 && code < 160:
		return box.SignalFault(signalName(syscall.Signal(code-128)), false)
	}
	return box.ExitFault(code)
}

// crashSignals are those by which the Go runtime may end a process after it has said why.
var crashSignals = map[syscall.Signal]bool{
	syscall.SIGABRT: true, syscall.SIGSEGV: true, syscall.SIGBUS: true, syscall.SIGFPE: true, syscall.SIGQUIT: true,
}

// throughShell reports whether an exit code may be a shell's word for a signal.
func (c *call) throughShell() bool {
	for _, hop := range transport.Hops(c.once.Via) {
		if _, ok := hop.(transport.SSH); ok {
			return true
		}
	}
	return false
}

// lostConnection recognises what ssh says when not the far command but the connection ended.
func lostConnection(stderr string) bool {
	for _, text := range []string{"Connection to ", "Connection closed", "Connection reset", "Broken pipe", "Timeout, server", "mux_client", "disconnect"} {
		if strings.Contains(stderr, text) {
			return true
		}
	}
	return false
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "SIGABRT", syscall.SIGALRM: "SIGALRM", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE",
	syscall.SIGHUP: "SIGHUP", syscall.SIGILL: "SIGILL", syscall.SIGINT: "SIGINT", syscall.SIGKILL: "SIGKILL",
	syscall.SIGPIPE: "SIGPIPE", syscall.SIGQUIT: "SIGQUIT", syscall.SIGSEGV: "SIGSEGV", syscall.SIGSYS: "SIGSYS",
	syscall.SIGTERM: "SIGTERM", syscall.SIGTRAP: "SIGTRAP", syscall.SIGUSR1: "SIGUSR1", syscall.SIGUSR2: "SIGUSR2",
	syscall.SIGXCPU: "SIGXCPU", syscall.SIGXFSZ: "SIGXFSZ",
}

func signalName(s syscall.Signal) string {
	if name := signalNames[s]; name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(s))
}

// transportError classifies how the transport ended.
func (c *call) transportError(err error, gone bool) error {
	e := &box.TransportError{Hop: c.once.Via.String(), Argv: c.argv, ExitCode: -1, Err: err}
	if !gone {
		e.Reason = "the transport did not end"
		return e
	}
	e.Stderr = string(c.process.said.Kept)
	state := c.process.ended
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = signalName(status.Signal())
	} else {
		e.ExitCode = state.ExitCode()
	}
	d := transport.Diagnose(c.once.Via, transport.Exit{Code: e.ExitCode, Signal: e.Signal, Stderr: e.Stderr})
	if d.Hop != "" {
		e.Hop = d.Hop
	}
	if e.Reason = d.Reason; d.Advice != "" {
		e.Reason += "; " + d.Advice
	}
	return e
}
