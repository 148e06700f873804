package server

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// A call is one command of one connection while it runs.
type call struct {
	command *command
	conn    *conn
	owner   int // whose names these are
	tag     string
	words   []string // all of them, as they came
	args    []string // after the words of the command
	out     []byte   // the reply
	holds   int      // bytes that are counted for it
	reply   int      // of these, for out

	// For commands that talk.
	input chan []string // the lines that are for this call
	done  chan struct{} // closed when it is over

	resume json.RawMessage // where it goes on, if another program has begun it; and where this one paused
}

// errPaused is the cause of the context's end when the kernel is about to be replaced: the call has to return it.
var errPaused = errors.New("paused")

// say adds a line of words to the reply, quoted so that line.Split reads them back.
func (c *call) say(words ...string) {
	c.out = append(append(c.out, line.Join(words...)...), '\n')
}

// printf adds text to the reply.
func (c *call) printf(format string, args ...any) { c.out = fmt.Appendf(c.out, format, args...) }

// flush sends what there is of the reply while the command goes on: an event.
func (c *call) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.measure(); err != nil {
		return err
	}
	err := c.conn.event(c.tag, c.out)
	c.sent()
	return err
}

// failure is an error as the protocol says it.
func failure(err error) *kernel.Error {
	var e *kernel.Error
	if errors.As(err, &e) {
		return e
	}
	return kernel.Errorf(kernel.Failed, "%s", line.Visible(err.Error()))
}
