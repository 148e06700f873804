package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

const (
	// How long the output of a worker that has ended may stay open: a process that it left behind may hold it.
	afterlife = 250 * time.Millisecond
	// How long a caller may take to hang up, after it was told how its worker ended.
	farewell = 5 * time.Second
)

// alive finds out in 45 s, as ssh does, that a host is gone.
var alive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}

func listenFar(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("server: address %.200q: %w", address, err)
	}
	return l, nil
}

// admitFar finds out who connected, while others do, and serves them if they may and there is room.
func (s *server) admitFar(ctx context.Context, conn net.Conn) {
	log := s.Log.With(slog.Group("peer", "address", conn.RemoteAddr().String()))
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(alive)
	}
	forget := s.waiting.add(conn)
	s.work.Go(func() {
		defer conn.Close()
		within, cancel := context.WithTimeout(ctx, s.Patience)
		secure, who, err := s.Guard.Admit(within, conn)
		cancel()
		forget()
		if secure == nil {
			s.hush.Warn("address "+hostOf(conn), log, "refused", "why", err)
			return
		}
		log = log.With(slog.Group("peer", "name", who))
		line := handover.NewLine(secure)
		if err != nil {
			s.hush.Warn("name "+who, log, "refused", "why", err)
			_ = line.Refused(err)
			hangUp(secure, nil)
			return
		}
		ctx, yield := context.WithCancel(ctx)
		defer yield()
		place, err := s.places.take("name "+who, true, yield)
		if err != nil {
			s.hush.Warn("name "+who, log, "busy", "why", err)
			_ = line.Busy(err)
			hangUp(secure, nil)
			return
		}
		defer place.leave()
		s.serveFar(ctx, secure, line, who, place, log)
	})
}

// hostOf is where a connection comes from, without its port.
func hostOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return conn.RemoteAddr().String()
	}
	return host
}

// serveFar serves one connection to its end.
func (s *server) serveFar(ctx context.Context, conn net.Conn, line *handover.Line, who string, place *place, log *slog.Logger) {
	var asked, names []string
	err := s.hear(ctx, conn, place, func() error {
		err := line.Welcome(who)
		if err == nil {
			asked, err = line.Names()
		}
		return err
	})
	if err == nil {
		names, err = s.narrow(asked)
	}
	if err != nil {
		s.turnAway(place.who, log, err, line.Refused, line.Busy)
		hangUp(conn, nil)
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	log = log.With("functions", strings.Join(names, ","))
	ours, theirs, err := pipes()
	var cmd *exec.Cmd
	if err == nil {
		cmd, err = s.start(names, theirs)
	}
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		log.Error("no worker", "why", err)
		_ = line.Busy(err)
		hangUp(conn, nil)
		return
	}
	log = log.With("worker", cmd.Process.Pid)
	log.Info("started")
	begin := time.Now()
	why := s.carry(conn, line, ours, cmd)
	log.Info("ended", "how", cmd.ProcessState.String(), "after", time.Since(begin).Round(time.Millisecond).String(), "because", why)
}

// carry carries a worker's streams until it has ended, and tells the caller how.
func (s *server) carry(conn net.Conn, line *handover.Line, ours [3]*os.File, cmd *exec.Cmd) (why string) {
	defer closeAll(ours)
	ended := s.await(cmd)
	_ = line.Started(cmd.Process.Pid)
	left, out, stderr := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.work.Go(func() {
		defer close(left)
		_ = line.TakeIn(ours[0]) // why it ended makes no difference to the worker
	})
	s.work.Go(func() {
		defer close(out)
		line.SendOut(newRest(ours[1]), false)
	})
	s.work.Go(func() {
		defer close(stderr)
		line.SendOut(newRest(ours[2]), true)
	})
	s.work.Go(func() { // nobody takes any more what is sent to a caller that has left
		<-left
		_ = conn.SetWriteDeadline(time.Now())
	})
	why = s.attend(left, ended, cmd)
	for _, f := range ours[1:] {
		_ = f.SetReadDeadline(time.Now().Add(afterlife))
	}
	last := time.AfterFunc(farewell, func() { _ = conn.SetDeadline(time.Now()) })
	defer last.Stop()
	<-out
	<-stderr
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && !within(left, 0) {
		_ = line.Ended(status)
	}
	hangUp(conn, left)
	<-left
	return why
}

// hangUp ends a connection so that what was said last arrives: to close one from which not all was read may destroy that.
// If somebody else reads, left is closed when that ends.
func hangUp(conn net.Conn, left <-chan struct{}) {
	_ = conn.SetDeadline(time.Now().Add(farewell))
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	if left != nil {
		within(left, farewell)
	} else {
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<20))
	}
	_ = conn.Close()
}

// pipes are those of a worker: our ends, and its.
func pipes() (ours, theirs [3]*os.File, err error) {
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours)
			closeAll(theirs)
			return [3]*os.File{}, [3]*os.File{}, err
		}
		if ours[i], theirs[i] = r, w; i == 0 {
			ours[i], theirs[i] = w, r
		}
	}
	return ours, theirs, nil
}

func closeAll(files [3]*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
