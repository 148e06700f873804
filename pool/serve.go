package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/doorway"
	"github.com/seed354a1416/deliveryboy/worker/server"
)

// Serve serves clients on a unix socket until the context ends, or MaxAccepts have come; then it takes no more, waits for
// the calls that run as long as the pool's Drain says, and ends. Who a client is, the system says. Clients without
// this library speak JSON; SPEC.md says how. The error says why it could not serve, or which workers did not end well; the end
// of the context is none.
func Serve(ctx context.Context, o ServeOptions) error {
	if o.Socket == "" || !filepath.IsAbs(o.Socket) || filepath.Clean(o.Socket) != o.Socket {
		return fmt.Errorf("pool: field Socket %.200q: a clean absolute path is needed", o.Socket)
	}
	if len(o.Socket) > maxSocket {
		return fmt.Errorf("pool: field Socket %.200q: the path has %d bytes; at most %d are possible", o.Socket, len(o.Socket), maxSocket)
	}
	l, lock, err := doorway.Open(o.Socket, len(o.Rules) > 0)
	if err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	defer lock.Close()
	defer func() { _ = l.Close() }()
	if err := backlog(l, o.Backlog); err != nil {
		return fmt.Errorf("pool: field Backlog %d: %w", o.Backlog, err)
	}
	s, err := NewServer(ctx, o)
	if err != nil {
		if ctx.Err() != nil { // it was told to end before it began
			return nil
		}
		return err
	}
	if o.Ready != nil {
		o.Ready()
	}
	return errors.Join(s.listen(ctx, l), s.Close())
}

const maxSocket = 107 // bytes of a path of a unix socket

// backlog changes how many connections may wait.
func backlog(l *net.UnixListener, n int) error {
	if n == 0 {
		return nil
	}
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Listen(int(fd), n) }); err != nil {
		return err
	}
	return failed
}

// listen takes clients until the context ends, or enough have come.
func (s *Server) listen(ctx context.Context, l *net.UnixListener) error {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	defer context.AfterFunc(ctx, s.begin)()
	var accepted atomic.Int64
	o := server.Options{
		Listener: l, Only: s.options.Only, Users: s.policy.users(), Groups: s.policy.groups(), Connections: s.options.MaxConnections,
		Patience: s.options.Patience, Drain: s.pool.options.Drain, Log: s.options.Log,
		Handler: func(ctx context.Context, c server.Connection) error {
			if n := accepted.Add(1); s.options.MaxAccepts > 0 && n >= s.options.MaxAccepts {
				defer enough()
			}
			return s.handle(ctx, c)
		},
		Text: func(ctx context.Context, t server.Text) {
			if n := accepted.Add(1); s.options.MaxAccepts > 0 && n >= s.options.MaxAccepts {
				defer enough()
			}
			s.talk(ctx, t)
		},
	}
	return server.Serve(ctx, o)
}

// handle serves one client.
func (s *Server) handle(ctx context.Context, c server.Connection) error {
	begun, who := time.Now(), Peer{UID: c.Peer.UID, Groups: c.Peer.Groups, PID: c.Peer.PID}
	c.Streams[2].Close()
	streams, err := pollable(c.Streams[0], c.Streams[1])
	if err != nil {
		return err
	}
	leave, refusal := s.enter(who)
	if refusal == nil {
		defer leave()
	}
	c.Log.Debug("pool: client")
	err = s.serve(ctx, streams, who, c.Names, c.Log, refusal)
	after := time.Since(begun).Round(time.Millisecond).String()
	if err != nil {
		s.warn(who, "clients", c.Log, "pool: client ended", "after", after, "why", err.Error())
	} else {
		c.Log.Debug("pool: client ended", "after", after)
	}
	return err
}

// pollable makes a client's streams such that waiting for them can be interrupted, whatever mode they came in.
func pollable(in, out *os.File) (conn, error) {
	defer in.Close()
	defer out.Close()
	var files [2]*os.File
	for i, f := range []*os.File{in, out} {
		raw, err := f.SyscallConn()
		if err != nil {
			return conn{}, err
		}
		fd, failed := -1, error(nil)
		if err := raw.Control(func(old uintptr) {
			if fd, failed = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3); failed == nil {
				failed = syscall.SetNonblock(fd, true)
			}
		}); err != nil {
			return conn{}, err
		}
		if failed != nil {
			return conn{}, failed
		}
		files[i] = os.NewFile(uintptr(fd), "client")
	}
	return newConn(files[0], files[1]), nil
}
