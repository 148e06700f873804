package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/hush"
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
	listener net.Listener
	waiting  waiting // on TCP, those who have not said who they are
	places   places
	hush     hush.Hush
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
	s := &server{Options: o, listener: o.Listener, places: places{all: o.Connections, of: map[string]int{}}, over: make(chan struct{})}
	s.hush.Log = s.Log
	var err error
	if s.guests, err = o.guests(); err != nil {
		return err
	}
	if s.program, err = os.Executable(); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	switch {
	case o.Address != "":
		if s.listener, err = listenFar(ctx, o.Address); err != nil {
			return err
		}
	case s.listener == nil:
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
	if n := s.places.count(); n > 0 {
		s.Log.Info("ending", "connections", n, "patience", max(s.Drain, 0).String())
	}
	timer := time.AfterFunc(s.Drain, func() { close(s.over) })
	s.work.Wait()
	timer.Stop()
	s.hush.End()
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
		conn, err := s.listener.Accept()
		switch {
		case err == nil:
			failing = false
			if unix, ok := conn.(*net.UnixConn); ok {
				s.admit(ctx, unix)
			} else {
				s.admitFar(ctx, conn)
			}
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
	who := "uid " + strconv.Itoa(peer.UID)
	if err == nil && !s.welcome(peer) {
		err = fmt.Errorf("uid %d may not connect here", peer.UID)
	}
	if err != nil {
		s.hush.Warn(who, log, "refused", "why", err)
		_ = handover.Refused(conn, err)
		conn.Close()
		return
	}
	ctx, yield := context.WithCancel(ctx)
	place, err := s.places.take(who, !own(peer), yield)
	if err != nil {
		yield()
		s.hush.Warn(who, log, "busy", "why", err)
		_ = handover.Busy(conn, err)
		conn.Close()
		return
	}
	s.work.Go(func() {
		defer yield()
		defer place.leave()
		defer conn.Close()
		s.serve(ctx, conn, place, log)
	})
}

// hear has read take in what a connection says first. It ends when Patience does, when the server is to end, or when the
// place is somebody else's.
func (s *server) hear(ctx context.Context, conn net.Conn, place *place, read func() error) error {
	_ = conn.SetReadDeadline(time.Now().Add(s.Patience))
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	err := read()
	stays, goesOn := place.settle(), unhook()
	switch {
	case !stays:
		return errGaveWay
	case !goesOn:
		return errors.New("the server ends")
	}
	return err
}

// turnAway tells a caller, and the log, why it is not served.
func (s *server) turnAway(who string, log *slog.Logger, err error, refused, busy func(error) error) {
	if errors.Is(err, errGaveWay) {
		s.hush.Warn(who, log, "busy", "why", err)
		_ = busy(err)
		return
	}
	s.hush.Warn(who, log, "refused", "why", err)
	_ = refused(err)
}

// own reports whether it is root or the server's own user.
func own(p handover.Peer) bool { return p.UID == os.Geteuid() || p.UID == 0 }

func (s *server) welcome(p handover.Peer) bool {
	if own(p) || s.guests.users[p.UID] {
		return true
	}
	for _, g := range p.Groups {
		if s.guests.groups[g] {
			return true
		}
	}
	return false
}
