package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A call is one that waits for its reply.
type call struct {
	id      uint32
	done    chan outcome // gets exactly one
	started atomic.Bool  // the function runs, or ran
	out     callOutput
	size    int64          // what it takes on the wire
	sender  sync.WaitGroup // who still writes it
	asker   sync.WaitGroup // who still writes that it is cancelled
	live    *bridges       // nil if all its arguments travel by value
}

// An outcome is what became of a call: a reply, or the loss of the link.
type outcome struct {
	reply *box.Reply
	size  int64 // of the reply, in bytes
	lost  bool
}

// idle calls are used again, to save the making of a channel.
var idle = sync.Pool{New: func() any { return &call{done: make(chan outcome, 1)} }}

func (c *call) free() {
	c.out.out, c.out.err, c.live = nil, nil, nil
	c.started.Store(false)
	idle.Put(c)
}

// handsFree is how many bytes of calls without an answer fit into any pipe: writing them does not block.
const handsFree = 32 << 10

// deliver has the worker run a function for a call that is registered. The call is over when it returns, but for readers
// among its results.
func (l *link) deliver(ctx context.Context, c *call, b *box.Box) (*box.Reply, error) {
	if err := l.begin(ctx, c, b); err != nil {
		return nil, err
	}
	return l.conclude(ctx, c, b)
}

// begin sends the call.
func (l *link) begin(ctx context.Context, c *call, b *box.Box) error {
	if err := ctx.Err(); err != nil {
		l.withdraw(c)
		return l.failed(b.Func, "send", box.NotStarted, err)
	}
	c.out.init(ctx, l.output, b.Func)
	err := l.checkFiles(b)
	if err == nil {
		err = l.export(ctx, c, &b)
	}
	if err == nil {
		err = l.send(ctx, c, b)
	}
	if err != nil {
		l.withdraw(c)
		c.live.end()
		return l.failed(b.Func, "pack", box.NotStarted, err)
	}
	return nil
}

// conclude waits for the reply.
func (l *link) conclude(ctx context.Context, c *call, b *box.Box) (*box.Reply, error) {
	out := l.await(ctx, c)
	c.sender.Wait()
	c.asker.Wait()
	l.unanswered.Add(-c.size)
	if out.lost {
		c.live.end()
		c.out.wait()
		return l.suddenEnd(ctx, c, b)
	}
	return l.complete(ctx, c, b, out)
}

// send writes the call. It does not block where that would hide that the context is done.
func (l *link) send(ctx context.Context, c *call, b *box.Box) error {
	segments, sent, err := l.outs.SegmentsFor(b)
	if err != nil {
		return err
	}
	c.size = channel.SizeOf(segments)
	if waiting := l.unanswered.Add(c.size); c.live == nil && waiting <= handsFree || ctx.Done() == nil && c.size <= handsFree {
		l.write(c, segments, sent)
	} else {
		c.sender.Go(func() { l.write(c, segments, sent) })
	}
	return nil
}

// write writes a call. If the worker does not take all of it, its reply, or its end, says why. A warm worker starts what it
// gets, and says so only of calls that had to wait: from here on, nobody knows that the function has not started.
func (l *link) write(c *call, segments [][]byte, sent func()) {
	c.started.Store(l.warm)
	err := l.mux.WriteMessage(wire.Call, c.id, segments)
	switch {
	case err != nil:
		c.started.Store(false)
	case sent != nil:
		sent()
	}
}

// await returns what becomes of a call that was sent.
func (l *link) await(ctx context.Context, c *call) outcome {
	done := ctx.Done()
	if done == nil {
		return <-c.done
	}
	select {
	case out := <-c.done:
		return out
	case <-done:
		return l.cancel(ctx, c)
	}
}

// cancel asks the function to end. If that does not help, and the worker does not end itself, the link is ended.
func (l *link) cancel(ctx context.Context, c *call) outcome {
	cause := []byte(ctx.Err().Error())
	c.asker.Go(func() {
		c.sender.Wait() // what was not sent cannot be cancelled
		_ = l.mux.WriteFrame(wire.Cancel, 0, c.id, cause)
	})
	patience := time.NewTimer(l.options.grace() + l.latency())
	defer patience.Stop()
	select {
	case out := <-c.done:
		return out
	case <-patience.C:
	}
	l.finish(l.options.grace() + l.latency())
	return <-c.done
}

// latency is how long word of the worker may be on its way. One on this machine that has said nothing by then is stopped,
// or hangs.
func (l *link) latency() time.Duration {
	if transport.Local(l.options.Via) {
		return nearby
	}
	return politely
}

// complete takes in the rest of what belongs to a reply, and adds what only this side knows.
func (l *link) complete(ctx context.Context, c *call, b *box.Box, out outcome) (*box.Reply, error) {
	r := out.reply
	refused := channel.TakeReply(ctx, out.size)
	if refused != nil { // what it holds is free from now on
		l.mux.Disown(r.Streams)
		r, out.reply = &box.Reply{}, nil
	}
	c.out.wait()
	r.Dropped += c.out.dropped()
	r.Repanic = l.options.Repanic
	r.Origin = l.origin(b.Func, r.Fault != nil || r.Refusal != nil)
	if err := cmp.Or(refused, l.takeLive(ctx, c, b, r)); err != nil {
		return nil, l.failed(b.Func, "unpack", box.Stopped, err)
	}
	c.free()
	return r, nil
}

// origin is where a reply comes from. The hops are for people who read an error.
func (l *link) origin(function string, failed bool) box.Origin {
	o := box.Origin{Func: function, Via: l.via}
	if !failed {
		return o
	}
	steps, err := transport.Explain(l.options.Via, l.worker)
	if err != nil {
		return o
	}
	for _, s := range steps {
		o.Hops = append(o.Hops, fmt.Sprintf("%s: %q", s.Hop, s.Argv))
	}
	return o
}

func (l *link) failed(function, op string, fate box.Fate, err error) error {
	return box.NewDeliveryError(box.DeliveryError{Op: op, Func: function, Via: l.via, Hop: hopOf(err), Fate: fate, Err: err})
}

func hopOf(err error) string {
	var t *box.TransportError
	if errors.As(err, &t) {
		return t.Hop
	}
	return ""
}
