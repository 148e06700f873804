package server

import (
	"runtime"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// What a user's connections hold in memory is counted, see Options.Memory: their buffers with all their capacity, the words
// of commands that run, replies until they are sent. Not counted is what every connection has.
const (
	heldFrom = 4 << 10  // bytes from which on something is counted
	callCost = 16 << 10 // of a command that runs beside others: a goroutine, and what belongs to it
	infoCost = 512      // of one of many things that a command is about
)

// collectEvery is after how many bytes that were held the garbage is collected: buffers that have become too small, and
// words that nobody needs any more, would else take as much again before the runtime sees a reason.
const collectEvery = 32 << 20

// tooMuch is for somebody who has as much as there may be.
func (s *Server) tooMuch() *kernel.Error {
	return kernel.Errorf(kernel.Limit, "your unfinished commands and unread replies are more than %d bytes together; come again later", s.options.Memory)
}

// hold counts n bytes for a user, if there may be so many.
func (s *Server) hold(uid, n int) bool {
	s.mu.Lock()
	fits := s.held[uid]+n <= s.options.Memory
	collect := false
	if fits {
		s.held[uid] += n
		if s.fresh += n; s.fresh >= collectEvery {
			s.fresh, collect = 0, true
		}
	}
	s.mu.Unlock()
	if collect {
		runtime.GC() // who asked for the memory waits for it
	}
	return fits
}

// letGo takes back what hold has counted.
func (s *Server) letGo(uid, n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[uid] -= n; s.held[uid] == 0 {
		delete(s.held, uid)
	}
}

// account counts the buffer of a connection, which is about to have this size, if it may.
func (c *conn) account(size int) error {
	if size <= heldFrom {
		size = 0
	}
	switch more := size - c.holds; {
	case more > 0 && !c.server.hold(c.peer.UID, more):
		return c.server.tooMuch()
	case more < 0:
		c.server.letGo(c.peer.UID, -more)
	}
	c.holds = size
	return nil
}

// hold counts n bytes for a command, until it is over, if there may be so many.
func (c *call) hold(n int) error {
	if !c.conn.server.hold(c.conn.peer.UID, n) {
		return c.conn.server.tooMuch()
	}
	c.holds += n
	return nil
}

// measure counts what there is of the reply, if that is much.
func (c *call) measure() error {
	if more := cap(c.out) - c.reply; cap(c.out) > heldFrom && more > 0 {
		if err := c.hold(more); err != nil {
			c.out = nil
			return err
		}
		c.reply += more
	}
	return nil
}

// sent drops the reply, of which everything has been sent.
func (c *call) sent() {
	if cap(c.out) > heldFrom {
		c.out = nil
		c.conn.server.letGo(c.conn.peer.UID, c.reply)
		c.holds, c.reply = c.holds-c.reply, 0
	}
	c.out = c.out[:0]
}

// release takes back all that the command had counted.
func (c *call) release() {
	c.conn.server.letGo(c.conn.peer.UID, c.holds)
	c.holds, c.reply = 0, 0
}

// weigh is how many bytes words have, if these are many.
func weigh(words []string) int {
	n := 0
	for _, w := range words {
		n += len(w)
	}
	if n <= heldFrom {
		return 0
	}
	return n
}
