package server

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// patience is how long a line may take from its first byte to its end, and a peer to read what it is sent.
const patience = 30 * time.Second

// A conn is one connection. Its goroutine reads commands and carries the quick ones out, one after the other; slow ones have
// a goroutine each.
type conn struct {
	server *Server
	nc     *net.UnixConn
	raw    syscall.RawConn
	peer   handover.Peer
	owner  int
	reader *line.Reader
	first  bool // nothing came yet
	quick  call // the command that is carried out at once, again and again
	out    []byte
	timed  bool // a deadline for reading is set
	holds  int  // bytes that are counted, see count
	bye    bool // the peer said quit

	runMu   sync.Mutex       // guards running and parked
	running map[string]*call // the slow ones, by tag; text mode has "" alone
	parked  []pausedCall     // those that have paused
	work    sync.WaitGroup
	greeted bool                    // it has had the first line
	pushed  []string                // a line that is for the next program
	until   context.Context         // of commands that can pause
	pauses  context.CancelCauseFunc // of until

	writeMu sync.Mutex // guards what follows: replies go out whole
	machine bool       // requests have tags, replies lengths
	people  bool       // replies are for people all the same: a shell shows them
	frame   []byte
	broken  error // of a write
}

func newConn(s *Server, nc *net.UnixConn, peer handover.Peer) (*conn, error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &conn{server: s, nc: nc, raw: raw, peer: peer, owner: owner(peer.UID), first: true, running: map[string]*call{}}
	c.until, c.pauses = context.WithCancelCause(context.Background())
	c.read(nil)
	return c, nil
}

// read begins to read. What was read earlier comes first.
func (c *conn) read(unread []byte) {
	c.reader = line.NewReader(newPlainReader(c.raw), unread)
	c.reader.Room = c.account
}

// serve serves the connection to its end, or to a pause. It goes on with the commands that another program had begun.
func (c *conn) serve(ctx context.Context, calls ...pausedCall) {
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { c.pauses(context.Cause(ctx)) })()
	paused := false
	defer func() {
		c.server.letGo(c.peer.UID, c.holds)
		c.holds = 0
		if !paused {
			cancel()
		}
		c.work.Wait()
		cancel()
		if paused {
			c.server.park(c)
		} else {
			c.nc.Close()
		}
	}()
	if !c.greeted {
		c.greeted = true
		if c.send([]byte(kernel.Banner+kernel.Prompt)) != nil {
			return
		}
	}
	if c.goOn(ctx, calls) != nil {
		return
	}
	if err := c.account(c.reader.Size()); err != nil {
		c.leave(err)
		return
	}
	for !c.bye {
		words, err := c.next()
		if err == nil {
			if err = c.handle(ctx, words); err == nil && c.holds > 0 {
				err = c.account(c.reader.Size())
			}
			if err == nil {
				continue
			}
		}
		var wrong *line.Error
		if errors.As(err, &wrong) {
			c.complain(wrong)
			continue
		}
		if paused = errors.Is(err, errPaused) || errors.Is(err, os.ErrDeadlineExceeded) && c.server.isPausing(); paused {
			return
		}
		c.leave(err)
		return
	}
}

// leave says why the connection ends, if the peer does not know.
func (c *conn) leave(err error) {
	var size *line.SizeError
	why, code := "", kernel.Usage
	switch {
	case errors.As(err, &size):
		why = size.Error()
	case errors.Is(err, errRights):
		why = err.Error()
	case errors.Is(err, kernel.ErrLimit):
		why, code = failure(err).Text, kernel.Limit
	case errors.Is(err, os.ErrDeadlineExceeded) && c.reader.Partial() && !c.server.isShutting():
		why = "a line was begun " + patience.String() + " ago and has no end"
	case errors.Is(err, errHTTP):
		why = err.Error()
	default:
		return
	}
	_ = c.finish("", kernel.Errorf(code, "%s; closing", why), nil)
	linger(c.nc)
}

func (s *Server) isShutting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shutting
}

// next is the words of the next command. A line that has begun has to end in time.
func (c *conn) next() ([]string, error) {
	for {
		words, ok, err := c.reader.Next()
		if ok || err != nil {
			return words, err
		}
		if partial := c.reader.Partial(); partial != c.timed {
			c.timed = partial
			var until time.Time
			if partial {
				until = time.Now().Add(patience)
			}
			if err := c.setDeadline(until); err != nil {
				return nil, err
			}
		}
		if err := c.reader.Fill(); err != nil {
			return nil, err
		}
	}
}

// setDeadline sets the deadline for reading, unless the server has set one to wake the connection.
func (c *conn) setDeadline(t time.Time) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.shutting || c.server.pausing {
		return os.ErrDeadlineExceeded
	}
	return c.nc.SetReadDeadline(t)
}

var errHTTP = errors.New("this is no web server")

// isHTTP knows what a browser that was led here would send first.
func isHTTP(words []string) bool {
	switch words[0] {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI":
		return true
	}
	return false
}

// handle carries out one command, or gives it to one that runs.
func (c *conn) handle(ctx context.Context, words []string) error {
	if c.first && len(words) > 0 {
		c.first = false
		if isHTTP(words) {
			return errHTTP
		}
	}
	tag, all := "", words
	if c.machine {
		if len(words) == 0 {
			return nil
		}
		tag, words = words[0], words[1:]
		if len(tag) > 32 {
			return c.finish(noTag, kernel.Errorf(kernel.Usage, "the tag has %d bytes; there may be 32", len(tag)), nil)
		}
	}
	if c.feed(tag, words) {
		return nil
	}
	if c.hasParked(tag) {
		c.pushed = all
		return errPaused
	}
	if len(words) == 0 {
		if c.machine {
			return c.finish(tag, kernel.Errorf(kernel.Usage, "no command after the tag"), nil)
		}
		return c.prompt(kernel.Prompt)
	}
	cmd, args, err := find(words)
	if err != nil {
		return c.finish(tag, err, nil)
	}
	if cmd.slow {
		return c.start(ctx, &call{command: cmd, conn: c, owner: c.owner, tag: tag, words: words, args: args,
			input: make(chan []string), done: make(chan struct{})})
	}
	k := &c.quick
	*k = call{command: cmd, conn: c, owner: c.owner, tag: tag, words: words, args: args, out: c.out[:0]}
	defer k.release()
	if err = k.hold(weigh(words)); err == nil {
		err = cmd.run(ctx, k)
	}
	if err == nil {
		err = k.measure()
	}
	err = c.finish(tag, err, k.out)
	k.sent()
	c.out = k.out
	return err
}
