package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/transport"
)

// suddenEnd says what became of a call that brought no reply: cancelled, broken on the way, or ended by the function
// itself together with its process. The link is over.
func (l *link) suddenEnd(ctx context.Context, c *call, b *box.Box) (*box.Reply, error) {
	e, started := &l.ending, c.started.Load()
	fate := box.Stopped
	switch {
	case !started:
		fate = box.NotStarted
	case !e.gone:
		fate = box.StillRunning
	case errors.Is(e.err, channel.ErrSilent):
		fate = box.Started // the far side is on its own, and ends by itself when it notices
	}
	var err error
	switch {
	case ctx.Err() != nil:
		return nil, l.failed(b.Func, "wait", fate, l.cancelled(ctx))
	case l.isClosed():
		err = ErrClosed
	case e.err != nil:
		err = l.transportError(e.err)
	case l.why() != "":
		err = errors.New(l.why())
	case !started || !e.gone:
		err = l.transportError(errors.New("the worker ended before the function started"))
	case e.fault == nil:
		fate, err = box.Started, l.transportError(errors.New("the connection was lost while the function ran"))
	case e.alone:
		r := &box.Reply{Fault: e.fault, Run: box.Run{Host: l.hello.Host, PID: l.hello.PID, UID: l.hello.UID, GID: l.hello.GID}}
		r.Dropped, r.Repanic, r.Origin = c.out.dropped(), l.options.Repanic, l.origin(b.Func, true)
		return r, nil
	default:
		err = e.fault.Err(l.origin(b.Func, true))
	}
	if l.warm {
		err = &LostError{Started: started, Err: err}
	}
	return nil, l.failed(b.Func, "wait", fate, err)
}

// why is the worker's reason for ending; empty if it gave none.
func (l *link) why() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason
}

// refused is the error of a call that came too late for the link.
func (l *link) refused(function string) error {
	return l.failed(function, "send", box.NotStarted, l.lostError())
}

// lostError says what is known of a link that takes no calls.
func (l *link) lostError() error {
	err := errors.New("the connection has ended")
	why := l.why()
	select {
	case <-l.over:
		if e := cmp.Or(l.ending.err, err); why == "" {
			err = l.transportError(e)
		}
	default:
		if e := l.mux.Err(); e != nil && !errors.Is(e, io.EOF) {
			err = e
		}
	}
	if why != "" {
		err = errors.New(why)
	}
	return &LostError{Err: err}
}

func (l *link) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// cancelled is the context's error, with what the worker says about it.
func (l *link) cancelled(ctx context.Context) error {
	why := l.why()
	if why == "" {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %s", ctx.Err(), why)
}

// fault reads from the transport's exit how the worker ended. It is nil if the worker may not have ended at all.
func (l *link) fault() *box.Fault {
	end := l.process.ended
	switch {
	case end.lost != nil:
		return nil
	case end.signal != 0 && transport.KeepsSignals(l.options.Via):
		return nil // the signal ended ssh, or its like, which says nothing about the worker
	case end.signal != 0 && !crashSignals[end.signal]:
		return box.SignalFault(signalName(end.signal), end.signal == syscall.SIGKILL && l.oom.happened())
	}
	if crash, ok := box.CrashFault(string(l.process.said.Kept)); ok && end.code != 0 {
		return crash
	}
	if end.signal != 0 {
		return box.SignalFault(signalName(end.signal), false)
	}
	switch ssh := l.throughSSH(); {
	case ssh && end.code == 255 && lostConnection(string(l.process.said.Kept)):
		return nil
	case ssh && end.code == 255: // ssh does not tell which signal ended the worker
		return box.SignalFault("", false)
	case end.code > 128 && end.code < 160 && transport.CodesSignals(l.options.Via):
		return box.SignalFault(signalName(syscall.Signal(end.code-128)), false)
	}
	return box.ExitFault(end.code)
}

// crashSignals are those by which the Go runtime may end a process after it has said why.
var crashSignals = map[syscall.Signal]bool{
	syscall.SIGABRT: true, syscall.SIGSEGV: true, syscall.SIGBUS: true, syscall.SIGFPE: true, syscall.SIGQUIT: true,
}

func (l *link) throughSSH() bool {
	for _, hop := range transport.Hops(l.options.Via) {
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
func (l *link) transportError(err error) error {
	e := &box.TransportError{Hop: l.via, Argv: l.argv, ExitCode: -1, Err: err}
	if !l.ending.gone {
		e.Reason = "the transport did not end"
		return e
	}
	e.Stderr = string(l.process.said.Kept)
	end := l.process.ended
	if e.ExitCode = end.code; end.signal != 0 {
		e.Signal, e.ExitCode = signalName(end.signal), -1
	}
	if end.lost != nil {
		e.Err = fmt.Errorf("%w (%w)", err, end.lost)
	}
	d := transport.Diagnose(l.options.Via, transport.Exit{Code: e.ExitCode, Signal: e.Signal, Stderr: e.Stderr,
		Stdout: string(l.excess.prefix.Kept), Answered: l.asker.hasAnswered()})
	var first interface{ Hop() string } // a session that this one goes through
	switch {
	case errors.As(end.lost, &first):
		e.Hop = first.Hop()
	case d.Hop != "":
		e.Hop = d.Hop
	}
	if e.Reason = d.Reason; d.Advice != "" {
		e.Reason += "; " + d.Advice
	}
	return e
}
