package pool

import (
	"context"
	"os"
	"reflect"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/registry"
)

// A task is one call of a client, from its arrival to its reply.
type task struct {
	relay  *relay
	id     uint32
	entry  *registry.Entry
	box    *box.Box
	live   *channel.Bridges // nil if no argument is live
	ctx    context.Context
	cancel context.CancelCauseFunc
	told   bool  // that it waits
	size   int64 // of the call
	kept   int64 // bytes that count as kept for the client

	stdout, stderr, logs outlet
}

func newTask(r *relay, id uint32, e *registry.Entry, b *box.Box, size int64) *task {
	t := &task{relay: r, id: id, entry: e, box: b, size: size}
	t.stdout = outlet{mux: r.mux, call: id, purpose: channel.ForStdout}
	t.stderr = outlet{mux: r.mux, call: id, purpose: channel.ForStderr}
	t.logs = outlet{mux: r.mux, call: id, purpose: channel.ForLog}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	return t
}

// adopt makes stand-ins of the live arguments. The goroutine that reads calls it, before more comes on their streams.
func (t *task) adopt() (err error) {
	if len(t.box.Streams) == 0 {
		return nil
	}
	t.live = channel.NewBridges(t.ctx, t.relay.mux, t.id)
	t.box.Live, err = t.live.Import(t.box.Streams, t.entry.LiveArg)
	t.box.Streams = nil // on the way to the worker they have others
	return err
}

// drop gives up a task that does not run.
func (t *task) drop() {
	t.cancel(errCancelled)
	if t.live != nil {
		t.relay.soon(t.live.End)
	}
	closeFiles(t.box.Live)
	t.letGo()
}

// keep counts bytes as kept for the client until letGo: the call, or a reply that has come, whatever it still waits for.
func (t *task) keep(n int64, ran bool) error {
	if over := t.relay.debt.keep(n); over != nil {
		over.UID, over.Ran = t.relay.who.UID, ran
		return over
	}
	t.kept += n
	return nil
}

// letGo is the end of what is kept.
func (t *task) letGo() {
	t.relay.debt.drop(t.kept)
	t.kept = 0
}

// cancelledBy ends the call.
func (t *task) cancelledBy(reason string) {
	if reason == context.DeadlineExceeded.Error() && t.box.Timeout > 0 {
		return // the call knows its deadline, and ends by itself, as it should
	}
	t.cancel(errCancelled)
}

// run has a worker do what the client wants.
func (t *task) run() {
	ctx := box.WithTrace(box.WithOutput(t.ctx, &t.stdout, &t.stderr), t.box.Trace)
	ctx = channel.WithReply(channel.WithRecords(ctx, t.record), func(n int64) error { return t.keep(n, true) })
	if t.box.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.box.Timeout)
		defer cancel()
	}
	var reply *box.Reply
	err := t.relay.debt.begin(ctx)
	if err != nil {
		err = t.relay.server.pool.failed(t.box.Func, "start", err)
	} else {
		defer t.relay.debt.end()
		reply, err = t.deliver(ctx)
	}
	closeFiles(t.box.Live)
	if err != nil {
		reply = t.entry.Failed(err)
	}
	t.reply(reply)
}

// deliver gives the call to a worker; to another one, if the first was about to end and did not take it.
func (t *task) deliver(ctx context.Context) (*box.Reply, error) {
	r := t.relay
	for repeats := 0; ; repeats++ {
		seat, err := r.seats.take(ctx, t.box, t.waits)
		if err != nil {
			return nil, err
		}
		t.starts()
		over := make(chan struct{})
		reply, err := r.server.pool.deliver(ctx, seat.worker, t.box, func() { r.expect(over) })
		close(over)
		if err == nil && lives(reply) {
			r.seats.keep(seat) // until the client is gone: nobody tells when its readers are at their end
		}
		r.seats.free(seat)
		if err != nil || repeats >= maxRepeats || !repeatable(ctx, t.box, reply, nil) {
			return reply, err
		}
	}
}

// waits tells the client that the function does not run yet: it takes every other call for started.
func (t *task) waits() {
	if t.relay.preamble.Session {
		t.told = true
		t.relay.soon(func() { _ = t.relay.wire.WriteFrame(wire.Started, wire.More, t.id) })
	}
}

func (t *task) starts() {
	if t.told || !t.relay.preamble.Session {
		t.relay.soon(func() { _ = t.relay.wire.WriteFrame(wire.Started, 0, t.id) })
	}
}

// reply sends what came of the call, after all that belongs to it.
func (t *task) reply(reply *box.Reply) {
	t.exportResults(reply)
	reply.Dropped += t.stdout.close() + t.stderr.close()
	t.logs.close()
	if t.live != nil {
		t.live.End()
	}
	t.relay.answer(t.id, reply)
	t.letGo()
	t.cancel(nil)
	t.relay.leave(t)
}

// record passes a log record on; one that the client does not take is lost.
func (t *task) record(record []byte) error {
	if stream := t.logs.open(); stream != nil {
		return stream.Send(t.ctx, record)
	}
	return nil
}

// lives reports whether results need the worker after the call. An open file is this process's own by then.
func lives(r *box.Reply) bool {
	for _, l := range r.Live {
		if !l.Value.IsValid() || l.Value.IsNil() {
			continue
		}
		if _, isFile := l.Value.Interface().(*os.File); !isFile {
			return true
		}
	}
	return false
}

// exportResults puts live results on streams.
func (t *task) exportResults(r *box.Reply) {
	r.Streams = nil
	if len(r.Live) == 0 {
		return
	}
	results := channel.NewBridges(context.Background(), t.relay.mux, t.id)
	var err error
	if r.Streams, err = results.Export(r.Live, t.entry.LiveResult); err != nil {
		r.Streams, r.Refusal = nil, box.RefusalOf(err, true)
		results.End()
	}
	if closeFiles(r.Live) {
		t.relay.mu.Lock()
		t.relay.files = true
		t.relay.mu.Unlock()
	}
}

// closeFiles closes open files that were passed on, or will not be, and reports whether there were any.
func closeFiles(live []box.Live) (some bool) {
	for _, l := range live {
		if f, ok := l.Value.Interface().(*os.File); ok && f != nil && l.Value.Kind() == reflect.Pointer {
			f.Close()
			some = true
		}
	}
	return some
}

// An outlet is where a call prints: a stream to the client, which is opened when there is something.
type outlet struct {
	mux     *channel.Mux
	call    uint32
	purpose channel.Purpose

	mu      sync.Mutex // guards what follows
	stream  *channel.Stream
	deaf    bool
	dropped int64
}

func (o *outlet) Write(p []byte) (int, error) {
	if stream := o.open(); stream != nil {
		if n, _ := stream.Write(p); n < len(p) {
			o.drop(len(p) - n)
		}
	} else {
		o.drop(len(p))
	}
	return len(p), nil
}

func (o *outlet) drop(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deaf, o.dropped = true, o.dropped+int64(n)
}

// open returns the stream; nil if the client takes no more.
func (o *outlet) open() *channel.Stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stream == nil && !o.deaf {
		var err error
		if o.stream, err = o.mux.Open(o.purpose, o.call); err != nil {
			o.deaf = true
		}
	}
	if o.deaf {
		return nil
	}
	return o.stream
}

// close ends the stream, and returns how many bytes were dropped.
func (o *outlet) close() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stream != nil {
		_ = o.stream.CloseWrite()
		o.stream = nil
	}
	o.deaf = true
	return o.dropped
}
