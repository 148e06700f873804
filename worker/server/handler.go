package server

import (
	"context"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// A Connection is one that was taken, for [Options.Handler].
type Connection struct {
	Peer    handover.Peer
	Names   []string    // of the functions that it is narrowed to; none: all that are offered
	Streams [3]*os.File // stdin, stdout and stderr of a worker; the handler closes them
	Log     *slog.Logger
}

// hand gives a connection to the handler, and waits for it. Its context ends when the caller is gone, or when the server is
// over, but not when the server begins to end.
func (s *server) hand(ctx context.Context, conn *net.UnixConn, c Connection) {
	_ = handover.Started(conn, os.Getpid())
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	_ = conn.SetReadDeadline(time.Time{})
	left := make(chan struct{})
	s.work.Go(func() {
		defer close(left)
		_, _ = conn.Read(make([]byte, 1)) // nothing may come any more but the end
		cancel()
	})
	done := make(chan struct{})
	s.work.Go(func() {
		select {
		case <-s.over:
			cancel()
		case <-done:
		}
	})
	status := syscall.WaitStatus(0)
	if err := s.Handler(live, c); err != nil {
		status = 1 << 8 // exit status 1
	}
	close(done)
	_ = handover.Ended(conn, status)
	_ = conn.SetReadDeadline(time.Now())
	<-left
}
