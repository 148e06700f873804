package server

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// A Text is a connection that carries lines of text, for [Options.Text].
type Text struct {
	Peer handover.Peer
	Conn *net.UnixConn // behind its first byte, which was [handover.TextMark]; the server closes it
	Log  *slog.Logger
}

// converse gives a connection to who serves text, and waits for it. Its context ends when the server is over, but not when
// the server begins to end.
func (s *server) converse(ctx context.Context, conn *net.UnixConn, log *slog.Logger) {
	peer, err := handover.PeerOf(conn)
	if err != nil {
		log.Warn("refused", "why", err)
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	s.work.Go(func() {
		select {
		case <-s.over:
			cancel()
		case <-done:
		}
	})
	s.Text(live, Text{peer, conn, log})
}
