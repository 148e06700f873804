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
func (s *server) serve(ctx context.Context, conn *net.UnixConn, place *place, log *slog.Logger) {
	var request *handover.Request
	err := s.hear(ctx, conn, place, func() (err error) {
		if request, err = handover.Receive(conn); err == nil && request.Text && s.Text == nil {
			err = errors.New("it does not begin as a connector does")
		}
		return err
	})
	var names []string
	if err == nil {
		names, err = s.narrow(request.Names)
	}
	if err != nil {
		if request != nil {
			request.Close()
		}
		s.turnAway(place.who, log, err,
			func(err error) error { return handover.Refused(conn, err) }, func(err error) error { return handover.Busy(conn, err) })
		return
	}
	if request.Text {
		s.converse(ctx, conn, log)
		return
	}
	log = log.With("functions", strings.Join(names, ","))
	if s.Handler != nil {
		peer, err := handover.PeerOf(conn)
		if err != nil {
			request.Close()
			log.Warn("refused", "why", err)
			return
		}
		s.hand(ctx, conn, Connection{peer, names, request.Files, log})
		return
	}
	cmd, err := s.start(names, request.Files)
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
	why := s.watch(conn, cmd)
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
func (s *server) start(names []string, streams [3]*os.File) (*exec.Cmd, error) {
	cmd := &exec.Cmd{
		Path: s.program, Args: wire.Argv(s.program, names...),
		Env:   append(os.Environ(), worker.Served),
		Stdin: streams[0], Stdout: streams[1], Stderr: streams[2],
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if runtime.GOOS == "linux" {
		cmd.Path = "/proc/self/exe" // still this build, if another one was installed meanwhile
	}
	return cmd, cmd.Start()
}

// watch waits for the worker of a unix socket to end, and ends it when the connection does, or the server.
func (s *server) watch(conn *net.UnixConn, cmd *exec.Cmd) (why string) {
	left, ended := make(chan struct{}), s.await(cmd)
	s.work.Go(func() {
		<-ended
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
	why = s.attend(left, ended, cmd)
	<-left
	return why
}

// await is closed when the worker has ended. How is in cmd then.
func (s *server) await(cmd *exec.Cmd) <-chan struct{} {
	ended := make(chan struct{})
	s.work.Go(func() {
		_ = cmd.Wait()
		close(ended)
	})
	return ended
}

// attend waits for the worker to end, and ends it when the caller has left, or the server is over. It says which it was.
func (s *server) attend(left, ended <-chan struct{}, cmd *exec.Cmd) (why string) {
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
