package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/child"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

func init() {
	register(&command{words: "watch processes", args: "[KEY=VALUE…] NAME…", run: watchProcesses, slow: true, talks: true, pausable: true,
		help: `Show what processes print, and how they end.
consumer  who watches: each consumer gets everything; the default is one that has no name
follow    yes: also processes that are made later; then it never ends
What is shown comes in lines, with the bytes behind them and a line feed:
  out:NAME:SECONDS:LENGTH      it has printed to stdout, at that time
  err:NAME:SECONDS:LENGTH      or to stderr
  lost:NAME:SECONDS:COUNT      so many bytes were more than it may keep
  closed:NAME:SECONDS:CODE     it has ended; minus the number of a signal; "unknown" if nobody knows
An empty line acknowledges what was shown, and goes on; "q" acknowledges it and stops; "leave" stops
without. What is not acknowledged comes again, to whoever asks next. In machine mode the first part
is "watching", one that says "acknowledged" answers each acknowledgement, and there are two fields
more: how many bytes the process has printed by then, and its number.`})
}

func watchProcesses(ctx context.Context, c *call) error {
	options, words, err := settings(c.args, "consumer", "follow")
	if err != nil {
		return err
	}
	follow := false
	if text, ok := options["follow"]; ok {
		if follow, err = parseYes("follow", text); err != nil {
			return err
		}
	}
	if consumer, ok := options["consumer"]; ok {
		if err := name.Check("consumer", consumer); err != nil {
			return kernel.Errorf(kernel.Usage, "%s", line.Visible(err.Error()))
		}
	}
	if len(words) == 0 {
		return kernel.Errorf(kernel.Usage, "Nothing to watch")
	}
	return c.watch(ctx, words, options["consumer"], follow)
}

// prompt is what people see when it is their turn to acknowledge.
const prompt = "] "

// watch watches to the end.
func (c *call) watch(ctx context.Context, words []string, consumer string, follow bool) error {
	patterns, err := c.patterns(words)
	if err != nil {
		return err
	}
	w, err := c.conn.server.processes.Watch(c.owner, patterns, consumer, follow)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := c.hold(infoCost * w.Len()); err != nil {
		return err
	}
	over := false
	if c.conn.isMachine() && len(c.resume) == 0 && len(c.out) == 0 {
		c.printf("watching\n")
	}
	if len(c.resume) > 0 {
		if over, err = c.goOn(ctx, w); over || err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	for {
		events, err := w.Now()
		switch {
		case errors.Is(err, io.EOF):
			c.printf("Nothing left to watch\n")
			return nil
		case err != nil:
			return err
		case len(events) > 0:
			for i := range events {
				c.event(&events[i])
			}
			over, err = c.turn(ctx, w)
		default:
			over, err = c.idle(ctx, w)
		}
		if over || err != nil {
			return err
		}
	}
}

// goOn is where a watch goes on that another program has begun.
func (c *call) goOn(ctx context.Context, w *child.Watch) (over bool, err error) {
	var shown []child.Shown
	if err := json.Unmarshal(c.resume, &shown); err != nil {
		return false, err
	}
	c.resume = nil
	if len(shown) == 0 {
		return false, nil
	}
	w.Resume(shown)
	return c.answer(ctx, w)
}

// turn has the consumer say that it has what was shown.
func (c *call) turn(ctx context.Context, w *child.Watch) (over bool, err error) {
	if err := c.flush(); err != nil {
		return false, err
	}
	if err := c.conn.prompt(prompt); err != nil {
		return false, err
	}
	return c.answer(ctx, w)
}

func (c *call) answer(ctx context.Context, w *child.Watch) (over bool, err error) {
	select {
	case words, ok := <-c.input:
		if !ok {
			return false, io.EOF
		}
		if len(words) == 0 || words[0] != "leave" {
			if err := w.Acknowledge(); err != nil {
				return false, err
			}
			if c.conn.isMachine() {
				c.printf("%s", kernel.AcknowledgedPart)
				if err := c.flush(); err != nil {
					return false, err
				}
			}
		}
		return c.quits(words), nil
	case <-ctx.Done():
		return false, c.pause(ctx, w)
	}
}

// idle waits until there is something to show. The consumer may stop meanwhile.
func (c *call) idle(ctx context.Context, w *child.Watch) (over bool, err error) {
	select {
	case <-w.Ready():
		return false, nil
	case words, ok := <-c.input:
		if !ok {
			return false, io.EOF
		}
		return c.quits(words), nil
	case <-ctx.Done():
		return false, c.pause(ctx, w)
	}
}

func (c *call) quits(words []string) bool {
	if len(words) == 0 || words[0] != "q" && words[0] != "leave" {
		return false
	}
	c.printf("Stopped watching\n")
	return true
}

// pause notes where the watch is, if it is to go on in another program.
func (c *call) pause(ctx context.Context, w *child.Watch) error {
	err := context.Cause(ctx)
	if errors.Is(err, errPaused) {
		c.resume, _ = json.Marshal(w.Shown())
	}
	return err
}

// event adds an event to the reply.
func (c *call) event(e *child.Event) {
	last := strconv.Itoa(len(e.Data))
	switch e.Kind {
	case child.Lost:
		last = strconv.FormatUint(e.Count, 10)
	case child.Closed:
		last = exitCode(e.Code, e.Known)
	}
	c.printf("%s:%s:%s:%s", e.Kind, e.Name, seconds(e.At), last)
	if c.conn.isMachine() {
		c.printf(":%d:%d", e.Pos, e.PID)
	}
	c.printf("\n")
	if e.Kind == child.Out || e.Kind == child.Err {
		c.out = append(append(c.out, e.Data...), '\n')
	}
}
