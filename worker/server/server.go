package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// acceptPause is what a server waits that cannot take connections, because it has no descriptors left for instance.
const acceptPause = 50 * time.Millisecond

// A server is one call of Serve.
type server struct {
	Options
	guests   guests
	program  string // of workers
	listener *net.UnixListener
	turns    chan struct{} // one for each connection
	over     chan struct{} // closed when the workers have to end
	work     sync.WaitGroup
}

// Serve serves until the context ends; then it takes no more connections, and returns when the last worker has ended, which
// may take Drain, and after that the grace of a function. The error says why it could not serve; the end of the context is
// none.
func Serve(ctx context.Context, o Options) error {
	if !registry.Sealed() {
		return errors.New("server: delivery.Main was not called: make it the first line of main, or a worker would run main instead of functions")
	}
	if err := o.check(); err != nil {
		return err
	}
	s := &server{Options: o, turns: make(chan struct{}, o.Connections), over: make(chan struct{}), listener: o.Listener}
	var err error
	if s.guests, err = o.guests(); err != nil {
		return err
	}
	if s.program, err = os.Executable(); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if s.listener == nil {
		var unlock func()
		if s.listener, unlock, err = listen(o.Socket, s.guests.any()); err != nil {
			return err
		}
		defer unlock()
	}
	s.run(ctx)
	return nil
}

// run takes connections until the context ends, and then waits for those that are there.
func (s *server) run(ctx context.Context) {
	s.Log.Info("serving", "socket", s.listener.Addr().String(), "functions", s.offered())
	unhook := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	defer unhook()
	s.accept(ctx)
	if n := len(s.turns); n > 0 {
		s.Log.Info("ending", "connections", n, "patience", max(s.Drain, 0).String())
	}
	timer := time.AfterFunc(s.Drain, func() { close(s.over) })
	s.work.Wait()
	timer.Stop()
	s.Log.Info("ended", "socket", s.listener.Addr().String())
}

func (s *server) offered() any {
	if len(s.Only) == 0 {
		return "all"
	}
	return s.Only
}

func (s *server) accept(ctx context.Context) {
	failing := false
	for {
		conn, err := s.listener.AcceptUnix()
		switch {
		case err == nil:
			failing = false
			s.admit(ctx, conn)
			continue
		case ctx.Err() != nil:
			return
		}
		if !failing {
			s.Log.Warn("cannot take connections", "error", err)
			failing = true
		}
		select { // later there may be descriptors again
		case <-ctx.Done():
		case <-time.After(acceptPause):
		}
	}
}

// admit looks who connected, and serves them if they may and there is room.
func (s *server) admit(ctx context.Context, conn *net.UnixConn) {
	peer, err := handover.PeerOf(conn)
	log := s.Log.With(slog.Group("peer", "uid", peer.UID, "pid", peer.PID))
	if err == nil && !s.welcome(peer) {
		err = fmt.Errorf("uid %d may not connect here", peer.UID)
	}
	if err != nil {
		log.Warn("refused", "why", err)
		_ = handover.Refused(conn, err)
		conn.Close()
		return
	}
	select {
	case s.turns <- struct{}{}:
		s.work.Go(func() {
			defer func() { <-s.turns }()
			defer conn.Close()
			s.serve(ctx, conn, log)
		})
	default:
		log.Warn("busy", "connections", s.Connections)
		_ = handover.Busy(conn, fmt.Errorf("%d connections are open, which is all that there may be", s.Connections))
		conn.Close()
	}
}

func (s *server) welcome(p handover.Peer) bool {
	if p.UID == os.Geteuid() || p.UID == 0 || s.guests.users[p.UID] {
		return true
	}
	for _, g := range p.Groups {
		if s.guests.groups[g] {
			return true
		}
	}
	return false
}
