package server

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// mostRunning is how many slow commands one connection may have at once.
const mostRunning = 256

// feed gives a line to the running command with its tag, if that one listens.
func (c *conn) feed(tag string, words []string) bool {
	c.runMu.Lock()
	k := c.running[tag]
	c.runMu.Unlock()
	if k == nil {
		return false
	}
	if !k.command.talks {
		<-k.done // one after the other
		return false
	}
	select {
	case k.input <- words:
		return true
	case <-k.done:
		return false
	}
}

// start runs a slow command.
func (c *conn) start(ctx context.Context, k *call) error {
	c.runMu.Lock()
	if len(c.running) >= mostRunning {
		c.runMu.Unlock()
		return c.finish(k.tag, kernel.Errorf(kernel.Limit, "%d commands run on this connection, which is all that may", mostRunning), nil)
	}
	c.running[k.tag] = k
	c.runMu.Unlock()
	tooMuch := k.hold(callCost + weigh(k.words))
	if k.command.pausable {
		ctx = c.until
	}
	c.work.Add(1)
	c.server.crew.do(func() {
		defer c.work.Done()
		defer k.release()
		err := tooMuch
		if err == nil {
			err = k.command.run(ctx, k)
		}
		if !errors.Is(err, errPaused) && !errors.Is(err, io.EOF) {
			_ = c.finish(k.tag, err, k.out)
		}
		c.runMu.Lock() // from here on a line with this tag is another command
		delete(c.running, k.tag)
		if errors.Is(err, errPaused) {
			c.parked = append(c.parked, pausedCall{k.tag, k.words, k.resume})
		}
		c.runMu.Unlock()
		close(k.done)
	})
	return nil
}

// pause has the commands that can pause do so.
func (c *conn) pause(why error) { c.pauses(why) }

// hasParked reports whether a command with this tag has paused: what comes for it is for the next program.
func (c *conn) hasParked(tag string) bool {
	c.runMu.Lock()
	defer c.runMu.Unlock()
	return slices.ContainsFunc(c.parked, func(k pausedCall) bool { return k.Tag == tag })
}

// goOn goes on with commands that another program had begun.
func (c *conn) goOn(ctx context.Context, calls []pausedCall) error {
	for _, p := range calls {
		cmd, args, err := find(p.Words)
		if err == nil {
			err = c.start(ctx, &call{command: cmd, conn: c, owner: c.owner, tag: p.Tag, words: p.Words, args: args,
				input: make(chan []string), done: make(chan struct{}), resume: p.Resume})
		} else {
			err = c.finish(p.Tag, err, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
