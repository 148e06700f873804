package server

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// noTag is the tag of a reply to what had none.
const noTag = "-"

// complain answers a line that cannot be read. In machine mode nobody knows its tag; that is "-".
func (c *conn) complain(wrong *line.Error) {
	_ = c.finish(noTag, kernel.Errorf(kernel.Usage, "%s", wrong.Error()), nil)
}

// finish sends the reply of a command: its text, or an error.
func (c *conn) finish(tag string, err error, body []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	f := c.frame[:0]
	if tag == "" {
		tag = noTag
	}
	if n := len(body); err == nil && n > heldFrom { // once more, with what is around it
		if c.server.hold(c.peer.UID, n) {
			defer c.server.letGo(c.peer.UID, n)
		} else {
			err = c.server.tooMuch()
		}
	}
	switch {
	case c.bye && err == nil:
		f = append(f, body...)
	case c.machine && err == nil:
		f = head(f, tag, "ok", len(body))
		f = append(f, body...)
	case c.machine:
		e := failure(err)
		f = head(f, tag, "error "+string(e.Code), len(e.Text))
		f = append(f, e.Text...)
	case err != nil:
		f = append(append(f, "Error: "...), strings.TrimSuffix(failure(err).Text, "\n")...)
		f = append(append(f, '\n'), kernel.Prompt...)
	default:
		f = append(f, body...)
		if len(body) > 0 && body[len(body)-1] != '\n' {
			f = append(f, '\n')
		}
		f = append(f, kernel.Prompt...)
	}
	return c.transmit(f)
}

// event sends a part of a reply.
func (c *conn) event(tag string, body []byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if n := len(body); n > heldFrom {
		if !c.server.hold(c.peer.UID, n) {
			return c.server.tooMuch()
		}
		defer c.server.letGo(c.peer.UID, n)
	}
	f := c.frame[:0]
	if c.machine {
		f = head(f, tag, "more", len(body))
	}
	return c.transmit(append(f, body...))
}

// head is the first line of a reply in machine mode.
func head(f []byte, tag, status string, n int) []byte {
	f = append(append(append(f, tag...), ' '), status...)
	f = strconv.AppendInt(append(f, ' '), int64(n), 10)
	return append(f, '\n')
}

// prompt shows people that it is their turn.
func (c *conn) prompt(text string) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if c.machine {
		return nil
	}
	return c.transmit(append(c.frame[:0], text...))
}

// transmit sends f, which may be c.frame. The caller has writeMu.
func (c *conn) transmit(f []byte) error {
	if cap(f) <= heldFrom {
		c.frame = f
	} else {
		c.frame = nil
	}
	if c.broken == nil {
		c.broken = c.send(f)
	}
	return c.broken
}

// send writes all of p. Only when the peer does not keep up there is a time limit to set.
func (c *conn) send(p []byte) error {
	n, err := 0, error(nil)
	failed := c.raw.Write(func(fd uintptr) bool {
		if n, err = unix.Write(int(fd), p); err != nil {
			n = 0
		}
		return true
	})
	switch {
	case failed != nil:
		return failed
	case err != nil && err != unix.EAGAIN && err != unix.EINTR:
		return os.NewSyscallError("write", err)
	case n == len(p):
		return nil
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err = c.nc.Write(p[n:])
	return errors.Join(err, c.nc.SetWriteDeadline(time.Time{}))
}

// isMachine reports whether a program reads what replies say.
func (c *conn) isMachine() bool {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return c.machine && !c.people
}
