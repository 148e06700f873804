// Package server is the kernel at work: it takes connections on a unix socket, looks who connects, and carries out
// commands on sockets, values and processes. kernel/SPEC.md is its protocol.
//
// Only its own user and root may connect, unless Options.AllowUIDs names others; each of those has names of their own, and
// what belongs to somebody else is not there for them.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/child"
	"github.com/seed354a1416/deliveryboy/kernel/event"
	"github.com/seed354a1416/deliveryboy/kernel/socket"
	"github.com/seed354a1416/deliveryboy/kernel/value"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// A Server is a kernel that serves.
type Server struct {
	options   Options
	log       *slog.Logger
	listener  *net.UnixListener
	started   time.Time
	values    *value.Store
	sockets   *socket.Table
	processes *child.Table
	events    *event.Hub
	facts     []fact

	work      sync.WaitGroup // connections
	crew      crew
	refusals  refusals
	lingering atomic.Int32       // connections that were refused
	end       context.CancelFunc // of Serve
	endings   *endings           // nil within another program
	unkept    atomic.Int64       // how often the holder could not keep something

	mu       sync.Mutex // guards what follows
	conns    map[*conn]struct{}
	perUID   map[int]int
	held     map[int]int          // bytes, by uid
	fresh    int                  // bytes that were held since garbage was collected
	goodbye  *conn                // whose end is the kernel's, because it said exit-if-idle
	pausing  bool                 // connections stop at the next boundary between commands
	then     func([]paused) error // what follows when they have
	parked   []paused             // that have
	shutting bool
}

// acceptPause is what the server waits that cannot take connections, because it has no descriptors left for instance.
const acceptPause = 50 * time.Millisecond

// New prepares a server, with all that its predecessor has left. Serve has to follow.
func New(o Options) (*Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Server{options: o, log: o.Log, listener: o.Listener, started: time.Now(), conns: map[*conn]struct{}{}, perUID: map[int]int{}, held: map[int]int{}, events: event.NewHub(), crew: crew{jobs: make(chan func())}}
	var err error
	if s.values, err = value.Open(o.State, s.log, s.events); err != nil {
		return nil, err
	}
	s.sockets = socket.NewTable(o.Link, s.events)
	for _, h := range o.Past.Held {
		if strings.HasPrefix(h.Key, socket.Prefix) {
			if err := s.sockets.Restore(h); err != nil {
				s.log.Error("a socket is lost", "error", err)
			}
		}
	}
	if s.processes, err = child.Open(filepath.Join(o.State, "processes"), o.Link, o.Past, s.log, s.events); err != nil {
		return nil, err
	}
	return s, nil
}

// Serve takes connections until the context ends, or somebody asked for it by exit-if-idle, and returns when the last
// connection has ended. Then the sockets are closed, and the files of unix sockets removed.
func (s *Server) Serve(ctx context.Context) error {
	ctx, s.end = context.WithCancel(ctx)
	defer s.end()
	unhook := context.AfterFunc(ctx, s.interrupt)
	defer unhook()
	s.log.Info("serving", "socket", s.listener.Addr().String())
	s.restoreConnections(ctx)
	for s.accept(ctx); s.isPausing(); s.accept(ctx) {
		s.change(ctx)
	}
	s.work.Wait()
	s.crew.end()
	s.endProcesses()
	s.sockets.Close(true)
	err := s.values.Close()
	s.log.Info("ended", "socket", s.listener.Addr().String())
	return err
}

// interrupt wakes everyone who waits for a connection or on one.
func (s *Server) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shutting = true
	_ = s.listener.SetDeadline(time.Now())
	for c := range s.conns {
		_ = c.nc.SetReadDeadline(time.Now())
	}
}

func (s *Server) accept(ctx context.Context) {
	failing := false
	spare := newSpare()
	defer spare.close()
	for {
		nc, err := s.listener.AcceptUnix()
		switch {
		case err == nil:
			failing = false
			s.admit(ctx, nc)
			continue
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed) || s.isPausing():
			return
		}
		if !failing {
			s.log.Warn("cannot take connections", "error", err)
			failing = true
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			spare.use(s.listener)
		}
		select { // later there may be descriptors again
		case <-ctx.Done():
		case <-time.After(acceptPause):
		}
	}
}

// admit looks who connected, and serves them if they may and there is room.
func (s *Server) admit(ctx context.Context, nc *net.UnixConn) {
	peer, err := handover.PeerOf(nc)
	if err != nil || !s.welcome(peer.UID) {
		if log, more := s.refusals.next(time.Now()); log {
			why := "this kernel serves other users"
			if err != nil {
				why = err.Error()
			}
			s.log.Warn("refused", "uid", peer.UID, "pid", peer.PID, "why", why, "unlogged", more)
		}
		s.refuse(nc, kernel.Denial)
		return
	}
	c, err := newConn(s, nc, peer)
	if err != nil {
		nc.Close()
		return
	}
	s.mu.Lock()
	full := s.perUID[peer.UID] >= s.options.Connections
	if !full {
		s.perUID[peer.UID]++
		s.conns[c] = struct{}{}
		s.goodbye = nil
		s.catchUp(c)
	}
	s.mu.Unlock()
	if full {
		if log, more := s.refusals.next(time.Now()); log {
			s.log.Warn("too many connections", "uid", peer.UID, "pid", peer.PID, "unlogged", more)
		}
		s.refuse(nc, crowded)
		return
	}
	s.work.Go(func() {
		defer s.forget(c)
		c.serve(ctx)
	})
}

// catchUp has a connection that is new do what the others have been told to. The caller has the lock.
func (s *Server) catchUp(c *conn) {
	switch {
	case s.shutting:
		_ = c.nc.SetReadDeadline(time.Now())
	case s.pausing:
		c.interrupt()
	}
}

// crowded is what somebody reads who has too many connections.
const crowded = "Error: you have more connections than one user may have; close some\n"

func (s *Server) welcome(uid int) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	for _, u := range s.options.AllowUIDs {
		if u == uid {
			return true
		}
	}
	return false
}

// owner is under whose names a user's things are: root on somebody's kernel is that somebody.
func owner(uid int) int {
	if uid == 0 {
		return os.Geteuid()
	}
	return uid
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if s.perUID[c.peer.UID]--; s.perUID[c.peer.UID] == 0 {
		delete(s.perUID, c.peer.UID)
	}
	leave := s.goodbye == c
	s.mu.Unlock()
	if leave {
		s.log.Info("idle, as asked")
		s.end()
	}
}
