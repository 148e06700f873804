package pool

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Via is the way to a server of this same program, without a socket, for tests above all: who is whom the server takes the
// client for. It is what session.Options.Via, delivery.Once.Via and [DialVia] take.
func (s *Server) Via(who Peer) transport.Transport { return memory{s, who} }

// memory is a transport.Dialer.
type memory struct {
	server *Server
	who    Peer
}

// Command returns argv: there is nothing to start.
func (m memory) Command(argv []string) ([]string, error) { return argv, nil }

func (m memory) String() string { return "pool" }

// HandsOver says that open files can pass.
func (m memory) HandsOver() bool { return true }

// Dial gives the streams to the server.
func (m memory) Dial(_ context.Context, command []string, streams [3]*os.File) (transport.Dialed, error) {
	streams[2].Close()
	c, err := pollable(streams[0], streams[1])
	if err != nil {
		return nil, err
	}
	names, err := namesOf(command)
	var leave func()
	if err == nil {
		leave, err = m.server.enter(m.who)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &inner{end: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		defer leave()
		defer cancel()
		l.err = m.server.serve(ctx, c, m.who, names, m.server.options.Log, nil)
	}()
	return l, nil
}

// namesOf are the functions that a worker's argv is narrowed to.
func namesOf(argv []string) ([]string, error) {
	switch {
	case len(argv) < 2 || len(argv) > 3 || argv[1] != wire.Verb:
		return nil, errors.New("pool: only a worker of this program can be had of a server; leave Deploy and further hops out")
	case len(argv) == 2:
		return nil, nil
	}
	return strings.Split(argv[2], ","), nil
}

// An inner is a client's connection within this process.
type inner struct {
	end  context.CancelFunc
	once sync.Once
	done chan struct{}
	err  error
}

func (l *inner) Wait() (int, error) {
	<-l.done
	return 0, nil
}

func (l *inner) Close() error {
	l.once.Do(l.end)
	return nil
}
