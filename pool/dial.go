package pool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

var (
	// ErrRefused is found in the error of a [Dial] to a server that does not serve this user.
	ErrRefused = errors.New("refused")

	// ErrBusy is found in the error of a [Dial] to a server that has as many clients as it may. Later there may be room.
	ErrBusy = errors.New("busy")

	// ErrUntrusted is found in the error of a [Dial] to a server of another user, who was not named.
	ErrUntrusted = errors.New("not trusted")
)

// A Client is a session with a server: a courier for the functions of this program, and a way to run commands. It is safe
// for concurrent use. Close ends it, and all that it still has running.
type Client struct {
	*session.Session
	Commands
}

// Dial connects to the server on the unix socket at path; the context is for that alone. The server has to be root's, or of
// this process's user, or of that in [Socket.User], for which DialVia is. It has to be of the same build as this program. Of
// the options, those about a worker's environment cannot be granted.
func Dial(ctx context.Context, path string, options ...session.Options) (*Client, error) {
	return DialVia(ctx, Socket{Path: path}, options...)
}

// DialVia is Dial over any way to a server: [Socket], [Server.Via], or one to another machine, such as
// transport.Chain{transport.SSH{…}, transport.Socket{…}}.
func DialVia(ctx context.Context, via transport.Transport, options ...session.Options) (*Client, error) {
	var o session.Options
	if len(options) > 0 {
		o = options[0]
	}
	o.Via = via
	switch via.(type) {
	case Socket, memory:
		if o.Heartbeat == 0 {
			o.Heartbeat = -1 // the end of one side shows to the other at once
		}
	}
	s, err := session.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Client{s, Commands{s}}, nil
}

// Socket is the way to a server on a unix socket of this machine. It is what transport.Socket is, without a process for
// each connection, and can only be the first and last hop.
type Socket struct {
	Path string // of the socket, absolute
	User string // whose server may be there besides root's and this user's, a name or "#uid"
}

func (s Socket) program() transport.Socket { return transport.Socket{Path: s.Path, User: s.User} }

// Command checks the way, and returns argv.
func (s Socket) Command(argv []string) ([]string, error) {
	if _, err := s.program().Command(argv); err != nil {
		return nil, err
	}
	return argv, nil
}

// String is the spec form, that of transport.Socket.
func (s Socket) String() string { return s.program().String() }

// HandsOver says that open files can pass.
func (s Socket) HandsOver() bool { return true }

// Dial connects, looks who serves, and hands the streams over.
func (s Socket) Dial(ctx context.Context, command []string, streams [3]*os.File) (transport.Dialed, error) {
	defer func() {
		for _, f := range streams {
			f.Close()
		}
	}()
	names, err := namesOf(command)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, s.Path)
	if err != nil {
		return nil, err
	}
	o := &outer{conn: conn, lines: bufio.NewReaderSize(conn, 4<<10)}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	if err = s.trusts(conn); err == nil {
		err = handover.Ask(conn, strings.Join(names, ","), streams[0], streams[1], streams[2])
		if begun := o.begin(); begun != nil { // it may have said why it takes nothing
			err = begun
		}
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return o, nil
}

const retryStep = 5 * time.Millisecond

// connect connects. While more wait than the server's backlog, it tries again.
func connect(ctx context.Context, path string) (*net.UnixConn, error) {
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(retryStep):
		}
	}
}

// trusts refuses a server of somebody else.
func (s Socket) trusts(conn *net.UnixConn) error {
	peer, err := handover.PeerOf(conn)
	if err != nil || peer.UID == 0 || peer.UID == os.Geteuid() {
		return err
	}
	if s.User == "" {
		return fmt.Errorf("%w: the server is of uid %d; name its user if that is right", ErrUntrusted, peer.UID)
	}
	uid, err := handover.UserID(s.User)
	if err == nil && uid != peer.UID {
		err = fmt.Errorf("%w: the server is of uid %d, and not of %s", ErrUntrusted, peer.UID, s.User)
	}
	return err
}

// An outer is a connection to a server.
type outer struct {
	conn  *net.UnixConn
	lines *bufio.Reader
}

// next reads what the server says: a word, and what belongs to it.
func (o *outer) next() (verb, rest string, err error) {
	line, err := o.lines.ReadSlice('\n')
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return "", "", fmt.Errorf("the server is gone: %w", err)
	}
	verb, rest, _ = strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
	return verb, plain(rest), nil
}

// begin waits until the server has taken the client.
func (o *outer) begin() error {
	verb, rest, err := o.next()
	switch {
	case err != nil:
		return err
	case verb == "started":
		return nil
	case verb == "refused":
		return fmt.Errorf("%w: %s", ErrRefused, rest)
	case verb == "busy":
		return fmt.Errorf("%w: %s", ErrBusy, rest)
	}
	return fmt.Errorf("the server said %.80q", plain(verb))
}

// Wait waits until the server has no more to do with the client.
func (o *outer) Wait() (code int, err error) {
	defer o.conn.Close()
	verb, rest, err := o.next()
	switch {
	case err != nil:
		return 0, err
	case verb == "exit":
		code, err = strconv.Atoi(rest)
		return code & 0xff, err
	}
	return 0, fmt.Errorf("the server said %.80q", plain(verb))
}

func (o *outer) Close() error { return o.conn.Close() }

// plain takes control characters out of what another process says.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
