package server

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/event"
)

func init() {
	register(&command{words: "watch events", args: "[PATTERN…]", run: watchEvents, slow: true, talks: true, pausable: true,
		help: `Show what happens to sockets, values and processes from now on.
A pattern is KIND.NAME.WHAT, where the name may end with a star and the others may be one; what is
left out at its end is a star, and no pattern is all: process.web.exit, value.app.*, socket.*.remove.
  socket   make remove
  value    set clear; not the end of its ttl
  process  start signal stop exit remove forget; then its name is free
Each event is a line: KIND.NAME.WHAT, the time, and KEY=VALUE words. "missed COUNT" says that so many
events, watched or not, came faster than they were taken; "missed unknown" that the kernel has become
another program. An empty line goes on, as with "watch processes"; "q" stops. Events are not kept.`})
}

// mostEvents is how many are shown at once.
const mostEvents = 256

func watchEvents(ctx context.Context, c *call) error {
	words := c.args
	if len(words) == 0 {
		words = []string{"*"}
	}
	var patterns []event.Pattern
	for _, word := range words {
		p, err := event.Parse(word)
		if err != nil {
			return usage(err)
		}
		patterns = append(patterns, p)
	}
	w := c.conn.server.events.Watch(c.owner, patterns)
	defer w.Close()
	over := false
	switch {
	case c.resume != nil:
		var shown bool
		if err := json.Unmarshal(c.resume, &shown); err != nil {
			return err
		}
		if shown {
			var err error
			if over, err = c.goesOn(ctx); over || err != nil {
				return err
			}
		}
		c.say(kernel.Missed, "unknown")
	case c.conn.isMachine():
		c.printf("watching\n")
		if err := c.flush(); err != nil {
			return err
		}
	}
	for {
		events, missed := w.Next(mostEvents)
		if missed > 0 {
			c.say(kernel.Missed, strconv.FormatUint(missed, 10))
		}
		for i := range events {
			e := &events[i]
			c.say(append([]string{e.Topic(), seconds(e.At)}, strings.Fields(e.More)...)...)
		}
		var err error
		switch shown := missed > 0 || len(events) > 0 || c.resume != nil; {
		case shown:
			c.resume = nil
			over, err = c.eventTurn(ctx)
		default:
			if err = c.flush(); err == nil {
				over, err = c.eventIdle(ctx, w)
			}
		}
		if over || err != nil {
			return err
		}
	}
}

// eventTurn has who watches say that it goes on.
func (c *call) eventTurn(ctx context.Context) (over bool, err error) {
	if err := c.flush(); err != nil {
		return false, err
	}
	if err := c.conn.prompt(prompt); err != nil {
		return false, err
	}
	return c.goesOn(ctx)
}

func (c *call) goesOn(ctx context.Context) (over bool, err error) {
	select {
	case words, ok := <-c.input:
		if !ok {
			return false, io.EOF
		}
		return c.quits(words), nil
	case <-ctx.Done():
		c.resume = json.RawMessage("true")
		return false, context.Cause(ctx)
	}
}

// eventIdle waits until there may be an event.
func (c *call) eventIdle(ctx context.Context, w *event.Watch) (over bool, err error) {
	select {
	case <-w.Ready():
		return false, nil
	case words, ok := <-c.input:
		if !ok {
			return false, io.EOF
		}
		return c.quits(words), nil
	case <-ctx.Done():
		c.resume = json.RawMessage("false")
		return false, context.Cause(ctx)
	}
}
