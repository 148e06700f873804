// Package server starts a worker for everyone who connects to a socket and may.
//
// On a unix socket, who connects is told by the system, not by what they say: the server's own user and root by default,
// others by option. The worker is a child of the server, of its user, and gets the streams of whoever connected, so that
// the server is not in their way; on Linux it has a guardian. When the connection ends, so does the worker, with all that
// it started.
//
// On TCP there has to be a [Guard], which tells who connects by certificates; package transport/mtls has it. The server
// itself is the end of TLS, and copies bytes between the connection and the pipes of the worker: the worker has neither the
// key nor the connection, and what it starts cannot take them over.
//
// Programs use it as delivery.Serve, people as "deliveryboy serve"; transport.Socket is the other side.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// A Guard lets callers in that come over a network. Package transport/mtls has one.
type Guard interface {
	// Check says why nobody could be let in: files that are missing, or not safe.
	Check() error

	// Admit finds out who is at the other end of a connection, before the context is done. The error says why it may not call;
	// if the connection is there nevertheless, that is what the caller is told.
	Admit(ctx context.Context, conn net.Conn) (secure net.Conn, who string, err error)
}

// ErrOpen says that a server was to listen on TCP and let in everybody.
var ErrOpen = errors.New("a server on TCP needs a certificate, its key and the authority of those who may connect")

// Options are where a server listens, and whom it serves. One of Socket, Listener and Address is needed.
type Options struct {
	// Socket is where it listens, an absolute path of at most 107 bytes. The directory is made if it is missing, and its parent
	// is there and not "/"; it must not be one in which others can replace files. What a server left that was killed is
	// replaced; a server that lives is an error.
	Socket string

	// Listener is a socket that listens already, such as one of systemd's: a unix socket, instead of Socket, or one on TCP,
	// instead of Address. Serve closes it.
	Listener net.Listener

	// Address is where it listens on TCP, "host:port", for whom Guard lets in. Port 0 is one that is free, which Log tells.
	Address string

	// Guard is who may connect over TCP: mtls.Server{…}. Without one, Serve gives [ErrOpen].
	Guard Guard

	// Only are the functions that workers are narrowed to. Empty: all that are registered.
	Only []string

	// Handler serves connections to a unix socket instead of a worker for each; the number of the process that the caller is
	// told is the server's then. With an error, the caller's connector ends with exit status 1. Nil: workers.
	Handler func(ctx context.Context, c Connection) error

	// Text serves connections to a unix socket that begin with [handover.TextMark]. Nil: they are refused.
	Text func(ctx context.Context, t Text)

	// Users and Groups may connect besides the server's own user and root: names, or "#" and a number. Of a group, its
	// supplementary members too.
	Users, Groups []string

	// Connections is how many there may be at once, with a worker or on the way to one; more are told to come later.
	// 0: 128. Each guest, which is a uid other than root's and the server's own, or on TCP the name of a certificate, has half
	// of them at most, rounded up: one alone keeps nobody out, several together can. Where there is no room, who comes takes
	// the place of a connection that has not said yet what it wants: a guest that has its half the oldest of its own, others
	// one of the guest who has the most. Those on TCP that have not proved who they are do not count; of them there are
	// 256 at most, and one more takes the place of the oldest.
	Connections int

	// Patience is how long a connection may take to say what it wants. 0: 10s.
	Patience time.Duration

	// Drain is how long workers may go on when the server is to end; then they are ended as by SIGTERM, which gives their
	// functions the grace of their callers. 0: 10s. Below 0: no time.
	Drain time.Duration

	// Log gets a record for each connection: who, what, and how it ended. Of those that are turned away, five in a second for
	// each uid, name of a certificate or address, and then how many more there were. Nil: slog.Default.
	Log *slog.Logger
}

const (
	defaultConnections = 128
	defaultPatience    = 10 * time.Second
	defaultDrain       = 10 * time.Second
	maxSocket          = 107 // bytes of a path of a unix socket
)

// An OptionError is [Options] that cannot be.
type OptionError struct{ Err error }

func (e *OptionError) Error() string { return "server: " + e.Err.Error() }
func (e *OptionError) Unwrap() error { return e.Err }

func wrong(format string, args ...any) error { return &OptionError{fmt.Errorf(format, args...)} }

// check refuses what cannot be, and fills in what is not given.
func (o *Options) check() error {
	switch {
	case o.places() != 1:
		return wrong("give one of Socket, Listener and Address")
	case o.Listener != nil && !listens(o.Listener):
		return wrong("the listener %s is neither a unix socket of streams nor one of TCP", o.Listener.Addr().Network())
	case o.far() != "" && o.Guard == nil:
		return fmt.Errorf("server: address %.200q: %w", o.far(), ErrOpen)
	case o.far() == "" && o.Guard != nil, o.far() != "" && len(o.Users)+len(o.Groups) > 0:
		return wrong("a Guard is for TCP, Users and Groups are for a unix socket")
	case o.Socket != "" && (!filepath.IsAbs(o.Socket) || filepath.Clean(o.Socket) != o.Socket || o.Socket == "/"):
		return wrong("socket %.200q: a clean absolute path is needed", o.Socket)
	case len(o.Socket) > maxSocket:
		return wrong("socket %.200q: the path has %d bytes; at most %d are possible", o.Socket, len(o.Socket), maxSocket)
	case o.far() != "" && o.Handler != nil:
		return wrong("a Handler is for a unix socket: the streams of a caller do not come over TCP")
	case o.Connections < 0:
		return wrong("connections %d: it must not be negative", o.Connections)
	case o.Patience < 0:
		return wrong("patience %s: it must not be negative", o.Patience)
	}
	if o.Guard != nil {
		if err := o.Guard.Check(); err != nil {
			return fmt.Errorf("server: address %.200q: %w", o.far(), err)
		}
	}
	for _, name := range o.Only {
		if _, ok := registry.Lookup(name); !ok {
			return wrong("function %.200q: it is not registered", name)
		}
	}
	if o.Connections == 0 {
		o.Connections = defaultConnections
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Drain == 0 {
		o.Drain = defaultDrain
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return nil
}

// places is how many of the fields are given that say where to listen.
func (o *Options) places() (n int) {
	for _, given := range []bool{o.Socket != "", o.Listener != nil, o.Address != ""} {
		if given {
			n++
		}
	}
	return n
}

// far is where it listens on TCP; empty if it does not.
func (o *Options) far() string {
	if l, ok := o.Listener.(*net.TCPListener); ok {
		return l.Addr().String()
	}
	return o.Address
}

func listens(l net.Listener) bool {
	switch l := l.(type) {
	case *net.UnixListener:
		return l.Addr().Network() == "unix"
	case *net.TCPListener:
		return true
	}
	return false
}

// guests are who may connect besides root and the server's own user.
type guests struct{ users, groups map[int]bool }

func (o *Options) guests() (guests, error) {
	g := guests{map[int]bool{}, map[int]bool{}}
	for _, name := range o.Users {
		id, err := handover.UserID(name)
		if err != nil {
			return g, wrong("user %.200q: %w", name, err)
		}
		g.users[id] = true
	}
	for _, name := range o.Groups {
		id, err := handover.GroupID(name)
		if err != nil {
			return g, wrong("group %.200q: %w", name, err)
		}
		g.groups[id] = true
	}
	return g, nil
}

func (g guests) any() bool { return len(g.users)+len(g.groups) > 0 }
