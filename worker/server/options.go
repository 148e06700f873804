// Package server starts a worker for everyone who connects to a unix socket and may.
//
// Who connects is told by the system, not by what they say: the server's own user and root by default, others by option.
// There is no form of it for TCP. The worker is a child of the server, of its user, and gets the streams of whoever
// connected, so that the server is not in their way; on Linux it has a guardian. When the connection ends, so does the
// worker, with all that it started.
//
// Programs use it as delivery.Serve, people as "deliveryboy serve"; transport.Socket is the other side.
package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// Options are where a server listens, and whom it serves. One of Socket and Listener is needed.
type Options struct {
	// Socket is where it listens, an absolute path. The directory is made if it is missing; it must not be one in which
	// others can replace files. What a server left that was killed is replaced; a server that lives is an error.
	Socket string

	// Listener is a unix socket that listens already, such as one of systemd's, instead of Socket.
	Listener *net.UnixListener

	// Only are the functions that workers are narrowed to. Empty: all that are registered.
	Only []string

	// Users and Groups may connect besides the server's own user and root: names, or "#" and a number. Of a group, its
	// supplementary members too.
	Users, Groups []string

	// Connections is how many there may be at once, with a worker or on the way to one; more are told to come later.
	// 0: 128.
	Connections int

	// Patience is how long a connection may take to say what it wants. 0: 10s.
	Patience time.Duration

	// Drain is how long workers may go on when the server is to end; then they are ended as by SIGTERM, which gives their
	// functions the grace of their callers. 0: 10s. Below 0: no time.
	Drain time.Duration

	// Log gets a record for each connection: who, what, and how it ended. Nil: slog.Default.
	Log *slog.Logger
}

const (
	defaultConnections = 128
	defaultPatience    = 10 * time.Second
	defaultDrain       = 10 * time.Second
	maxSocket          = 107 // bytes of a path of a unix socket
)

// check refuses what cannot be, and fills in what is not given.
func (o *Options) check() error {
	switch {
	case (o.Socket == "") == (o.Listener == nil):
		return errors.New("server: give one of Socket and Listener")
	case o.Socket != "" && (!filepath.IsAbs(o.Socket) || filepath.Clean(o.Socket) != o.Socket || o.Socket == "/"):
		return fmt.Errorf("server: socket %.200q: a clean absolute path is needed", o.Socket)
	case len(o.Socket) > maxSocket:
		return fmt.Errorf("server: socket %.200q: the path has %d bytes; at most %d are possible", o.Socket, len(o.Socket), maxSocket)
	case o.Connections < 0:
		return fmt.Errorf("server: connections %d: it must not be negative", o.Connections)
	case o.Patience < 0:
		return fmt.Errorf("server: patience %s: it must not be negative", o.Patience)
	}
	for _, name := range o.Only {
		if _, ok := registry.Lookup(name); !ok {
			return fmt.Errorf("server: function %.200q: it is not registered", name)
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

// guests are who may connect besides root and the server's own user.
type guests struct{ users, groups map[int]bool }

func (o *Options) guests() (guests, error) {
	g := guests{map[int]bool{}, map[int]bool{}}
	for _, name := range o.Users {
		id, err := handover.UserID(name)
		if err != nil {
			return g, fmt.Errorf("server: user %.200q: %w", name, err)
		}
		g.users[id] = true
	}
	for _, name := range o.Groups {
		id, err := handover.GroupID(name)
		if err != nil {
			return g, fmt.Errorf("server: group %.200q: %w", name, err)
		}
		g.groups[id] = true
	}
	return g, nil
}

func (g guests) any() bool { return len(g.users)+len(g.groups) > 0 }
