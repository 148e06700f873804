package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport/handover"
	"github.com/seed354a1416/deliveryboy/worker"
)

// firmly is how long a worker may take to end after SIGTERM: the longest grace there is, and a little more.
const firmly = 65 * time.Second

// serve serves one connection to its end.
func (s *server) serve(ctx context.Context, conn *net.UnixConn, log *slog.Logger) {
	_ = conn.SetReadDeadline(time.Now().Add(s.Patience))
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	request, err := handover.Receive(conn)
	if !unhook() && err == nil {
		request.Close()
		err = errors.New("the server ends")
	}
	if err != nil {
		log.Warn("refused", "why", err)
		_ = handover.Refused(conn, err)
		return
	}
	names, err := s.narrow(request.Names)
	if err != nil {
		request.Close()
		log.Warn("refused", "why", err)
		_ = handover.Refused(conn, err)
		return
	}
	log = log.With("functions", strings.Join(names, ","))
	cmd, err := s.start(names, request)
	request.Close()
	if err != nil {
		log.Error("no worker", "why", err)
		_ = handover.Busy(conn, err)
		return
	}
	log = log.With("worker", cmd.Process.Pid)
	log.Info("started")
	begin := time.Now()
	_ = handover.Started(conn, cmd.Process.Pid)
	why := s.attend(conn, cmd)
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		_ = handover.Ended(conn, status)
	}
	log.Info("ended", "how", cmd.ProcessState.String(), "after", time.Since(begin).Round(time.Millisecond).String(), "because", why)
}

// narrow is what a worker is narrowed to: what was asked for, if all of it is offered.
func (s *server) narrow(asked []string) ([]string, error) {
	if len(asked) == 0 {
		return s.Only, nil
	}
	for _, name := range asked {
		if err := registry.CheckName(name); err != nil {
			return nil, err
		}
		if len(s.Only) > 0 && !slices.Contains(s.Only, name) {
			return nil, fmt.Errorf("function %.200q is not served here", name)
		}
	}
	return asked, nil
}

// start starts a worker on the streams that came.
func (s *server) start(names []string, r *handover.Request) (*exec.Cmd, error) {
	cmd := &exec.Cmd{
		Path: s.program, Args: wire.Argv(s.program, names...),
		Env:   append(os.Environ(), worker.Served),
		Stdin: r.Files[0], Stdout: r.Files[1], Stderr: r.Files[2],
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if runtime.GOOS == "linux" {
		cmd.Path = "/proc/self/exe" // still this build, if another one was installed meanwhile
	}
	return cmd, cmd.Start()
}

// attend waits for the worker to end, and ends it when the connection does, or the server. It says which it was.
func (s *server) attend(conn *net.UnixConn, cmd *exec.Cmd) (why string) {
	left, ended := make(chan struct{}), make(chan struct{})
	s.work.Go(func() {
		_ = cmd.Wait() // how it ended is in cmd
		close(ended)
		_ = conn.SetReadDeadline(time.Now())
	})
	s.work.Go(func() {
		defer close(left)
		_ = conn.SetReadDeadline(time.Time{})
		if within(ended, 0) { // it may have set the deadline before
			return
		}
		_, _ = conn.Read(make([]byte, 1)) // nothing may come any more but the end
	})
	why = "the worker ended"
	select {
	case <-ended:
	case <-left:
		if !within(ended, 0) {
			why = "the caller is gone"
		}
	case <-s.over:
		why = "the server ends"
	}
	if !within(ended, 0) {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Process.Signal(syscall.SIGCONT) // a stopped one takes no other
		if !within(ended, firmly) {
			_ = cmd.Process.Kill()
		}
	}
	<-ended
	<-left
	return why
}

// within reports whether c was closed in time.
func within(c <-chan struct{}, d time.Duration) bool {
	select {
	case <-c:
		return true
	default:
	}
	if d == 0 {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}
