package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// callStream is the stream of a one-shot call: the caller's are odd.
const callStream = 1

// A call is one delivery through a process of its own, from the preamble to the process's end.
type call struct {
	once    Once
	box     *box.Box
	worker  []string // the worker's argv
	argv    []string // the transport's, which runs it
	process *process
	oom     oomWatch
	excess  excess

	wire    *channel.Wire
	hello   *channel.Hello
	started bool       // the function runs, or ran
	stopped string     // why the worker stopped it; "" if it did not
	reply   *box.Reply // nil until it is there
}

func (c *call) run(ctx context.Context) (*box.Reply, error) {
	c.excess.live = c.once.stdout(c.once.KeepExcess)
	if err := c.shakeHands(ctx); err != nil {
		return nil, err
	}
	err := c.converse(ctx)
	gone := c.process.end(c.grace())
	if c.once.KeepExcess && len(c.process.said.Kept) > 0 && gone {
		_, _ = c.once.stderr().Write(c.process.said.Kept)
	}
	if c.reply != nil {
		c.complete(gone)
		return c.reply, nil
	}
	return c.suddenEnd(ctx, err, gone)
}

func (c *call) grace() time.Duration {
	if c.once.Grace > 0 {
		return c.once.Grace
	}
	return defaultGrace
}

// shakeHands brings the worker up to where it waits for the box. Nothing of the box has left when it fails.
func (c *call) shakeHands(ctx context.Context) error {
	patience := c.once.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	var late atomic.Bool
	timer := time.AfterFunc(patience, func() { late.Store(true); c.process.interrupt() })
	defer timer.Stop()
	stop := context.AfterFunc(ctx, c.process.interrupt)
	defer stop()
	var err error
	options := channel.Options{Limits: channel.Limits{Message: c.once.MaxReply}, Noise: &c.excess}
	c.wire, c.hello, err = channel.Offer(c.process.stdout, c.process.stdin, c.once.preamble(), options)
	if err == nil {
		err = c.compare()
	}
	if err == nil && stop() {
		return nil
	}
	gone := c.process.end(0)
	switch {
	case ctx.Err() != nil:
		return c.failed("handshake", box.NotStarted, ctx.Err())
	case late.Load():
		err = fmt.Errorf("no answer within %s", patience)
	}
	return c.failed("handshake", box.NotStarted, c.handshakeError(err, gone))
}

// compare makes sure that the far side is this program. The box is opened by the types of its registry.
func (c *call) compare() error {
	skew := &box.VersionSkewError{Local: buildID(), Remote: c.hello.Build}
	if c.hello.Registry != registry.Fingerprint() {
		skew.Diff = registry.Differences(registry.Layouts(), c.hello.Functions)
		if len(skew.Diff) == 0 {
			skew.Diff = []string{"the registries differ"}
		}
		return skew
	}
	if skew.Local != skew.Remote && !c.once.AnyBuild {
		skew.Diff = []string{fmt.Sprintf("this side runs the build %q, %s runs %q (%s, %s/%s)", skew.Local, c.hello.Host, skew.Remote, c.hello.Go, c.hello.OS, c.hello.Arch)}
		return skew
	}
	return nil
}

// handshakeError says why no worker answered: what it said itself, or what the transport's exit and stderr tell.
func (c *call) handshakeError(err error, gone bool) error {
	var skew *box.VersionSkewError
	var refused *channel.RefusedError
	switch {
	case errors.As(err, &skew):
		return skew
	case errors.As(err, &refused) && refused.Code == exitData:
		return &box.PackingError{Func: c.box.Func, Why: "the worker refused: " + refused.Why}
	case errors.As(err, &refused):
		return c.transportError(errors.New("the worker refused: "+refused.Why), gone)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("no worker answered")
	}
	return c.transportError(err, gone)
}

// exitData is the code of a worker that refuses what it is told.
const exitData = 65

// converse sends the box and takes in what comes, until the worker has no more to say.
func (c *call) converse(ctx context.Context) error {
	b := *c.box
	if deadline, ok := ctx.Deadline(); ok { // the handshake has taken some of the time
		b.Timeout = max(time.Until(deadline), 1)
	}
	segments, err := b.Segments()
	if err != nil {
		return err
	}
	var sender sync.WaitGroup
	sender.Go(func() {
		// If the worker does not take all of it, its reply, or its end, says why.
		_ = c.wire.WriteMessage(channel.Call, callStream, segments)
	})
	over := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { c.watch(ctx, over) })
	err = c.receive()
	close(over)
	c.process.release()
	sender.Wait()
	watcher.Wait()
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return err
}

// receive takes frames until the stream ends. What comes behind the reply is the transport's.
func (c *call) receive() error {
	out := map[channel.Type]*sink{
		channel.Stdout: {w: c.once.stdout(true)},
		channel.Stderr: {w: c.once.stderr()},
	}
	for {
		f, err := c.wire.Next()
		if err != nil {
			return err
		}
		switch f.Type {
		case channel.Started:
			c.started = true
		case channel.Stdout, channel.Stderr:
			out[f.Type].write(f.Payload)
		case channel.Reply:
			if c.reply != nil {
				return &channel.FrameError{Type: f.Type, Stream: f.Stream, Why: "a second reply"}
			}
			if c.reply, err = box.ReplyFromSegments(f.Segments); err != nil {
				return err
			}
			c.excess.after = true
			c.process.release()
		case channel.Close:
			c.stopped = string(f.Payload)
		}
	}
}

// watch follows the context and the transport while the call is on. A cancelled call is asked to end; if that does not
// help, the lifeline is closed, which the far side cannot overlook, and at last the streams.
func (c *call) watch(ctx context.Context, over <-chan struct{}) {
	select {
	case <-over:
		return
	case <-c.process.exited:
		// The worker may be gone with its transport, or on its own now: it sees the lifeline close.
		c.process.release()
		wait(over, c.grace()+finally)
		_ = c.process.stdout.SetReadDeadline(time.Now().Add(afterlife))
		return
	case <-ctx.Done():
	}
	_ = c.process.stdin.SetWriteDeadline(time.Now().Add(c.grace()))
	_ = c.wire.WriteFrame(channel.Cancel, 0, callStream, []byte(ctx.Err().Error()))
	if wait(over, c.grace()+politely) {
		return
	}
	c.process.release()
	if wait(over, c.grace()+politely) {
		return
	}
	c.process.terminate()
	wait(over, firmly)
	c.process.interrupt()
}

// wait reports whether over was closed in time.
func wait(over <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-over:
		return true
	case <-t.C:
		return false
	}
}

// complete adds to the reply what only this side knows.
func (c *call) complete(gone bool) {
	c.reply.Repanic = c.once.Repanic
	c.reply.Origin = c.origin()
	c.reply.Excess = c.excess.sum()
	if gone {
		c.reply.Excess.Stderr = c.process.said.Kept
		c.reply.Excess.Dropped += c.process.said.Dropped
	}
}

func (c *call) origin() box.Origin {
	o := box.Origin{Func: c.box.Func, Via: c.once.Via.String()}
	if c.reply != nil && c.reply.Fault == nil && c.reply.Refusal == nil {
		return o // nobody will read the hops
	}
	steps, err := transport.Explain(c.once.Via, c.worker)
	if err != nil {
		return o
	}
	for _, s := range steps {
		o.Hops = append(o.Hops, fmt.Sprintf("%s: %q", s.Hop, s.Argv))
	}
	return o
}

func (c *call) failed(op string, fate box.Fate, err error) error {
	return box.NewDeliveryError(box.DeliveryError{Op: op, Func: c.box.Func, Via: c.once.Via.String(), Hop: hopOf(err), Fate: fate, Err: err})
}

func hopOf(err error) string {
	var t *box.TransportError
	if errors.As(err, &t) {
		return t.Hop
	}
	return ""
}

func cut(s string) string { return s[:min(len(s), 1024)] }
