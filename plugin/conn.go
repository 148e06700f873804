package plugin

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// A conn is a stream of a call as a connection. gRPC sets deadlines only to bound its own handshake, and goes on without.
type conn struct {
	io.ReadWriteCloser
	once sync.Once
	done chan struct{} // closed by Close
	err  error
}

// Close closes the stream and lets the call return, which ends a Read that waits.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.err = c.ReadWriteCloser.Close()
		close(c.done)
	})
	return c.err
}

func (c *conn) LocalAddr() net.Addr              { return place{} }
func (c *conn) RemoteAddr() net.Addr             { return place{} }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// A place is the address of both ends.
type place struct{}

func (place) Network() string { return "unix" }
func (place) String() string  { return address }

// A listener hands connections to a server. Accept fails only when it is closed.
type listener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newListener() *listener { return &listener{conns: make(chan net.Conn), done: make(chan struct{})} }

// hand gives a connection to the server; false if that has ended, or ctx is done first.
func (l *listener) hand(ctx context.Context, c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.done:
	case <-ctx.Done():
	}
	return false
}

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is nobody's.
func (l *listener) Addr() net.Addr { return place{} }
