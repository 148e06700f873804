package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// onTheWay is how long a client that is to be sent away is heard: after the last word nothing more is answered, and a call
// that met it on its way would not know that it was not run.
const onTheWay = 500 * time.Millisecond

// Why a call is cancelled.
var (
	errCancelled = errors.New("the caller cancelled the call")
	errGone      = errors.New("the client is gone")
)

const (
	exitData        = 65
	exitUnavailable = 69
	// maxCalls is how many calls a client may have at a time.
	maxCalls = channel.MaxStreams
)

// A relay is the server's end of one client: to the client it is a worker. Calls are passed on to a worker of the pool, and
// live values are bridged twice.
type relay struct {
	server   *Server
	who      Peer
	names    []string // the functions that the client is narrowed to; none: all
	log      *slog.Logger
	preamble *wire.Preamble
	wire     *wire.Wire
	mux      *channel.Mux
	in       box.TypesIn
	replies  channel.Replies
	begun    time.Time
	work     sync.WaitGroup
	conn     conn
	socket   *wire.Socket // what the client's bytes are read from, if open files can come along
	debt     *debt
	words    chan func()   // small things to be written; see soon
	quiet    chan struct{} // gets a word when the last call has ended

	mu      sync.Mutex // guards what follows
	tasks   map[uint32]*task
	calls   int64
	closing bool  // no more calls
	left    bool  // the client wants to go
	files   bool  // a reply with open files is on its way
	cut     error // why it was cut off; nil if it was not
	seats   seats
}

// A conn is a client's two streams.
type conn struct {
	in, out   *os.File
	interrupt func() // makes reads and writes return
}

func newConn(in, out *os.File) conn {
	return conn{in, out, sync.OnceFunc(func() {
		_ = in.SetDeadline(time.Now())
		_ = out.SetDeadline(time.Now())
	})}
}

func (c conn) close() {
	c.in.Close()
	c.out.Close()
}

// serve serves a client until it is gone, ctx ends, or the server does. It closes the streams. With a refusal, the client is
// told just that.
func (s *Server) serve(ctx context.Context, c conn, who Peer, names []string, log *slog.Logger, refusal error) error {
	r := &relay{
		server: s, who: who, names: names, log: log, begun: time.Now(), tasks: map[uint32]*task{}, quiet: make(chan struct{}, 1),
		conn: c, debt: s.debtOf(who), words: make(chan func(), maxWords),
	}
	defer r.hangUp()
	r.seats = seats{pool: s.pool, tenant: who.UID + 1}
	if err := r.shakeHands(ctx, c, refusal); err != nil {
		return err
	}
	ran, said := make(chan error, 1), make(chan struct{})
	r.work.Go(func() { ran <- r.mux.Run() })
	go func() {
		defer close(said)
		r.speak()
	}()
	err := r.attend(ctx, ran, c)
	r.finish()
	<-said
	return r.why(err)
}

// hangUp closes what is the client's.
func (r *relay) hangUp() {
	if r.socket != nil {
		r.socket.Close()
	}
	r.conn.close()
}

// shakeHands brings the client up to where it may call.
func (r *relay) shakeHands(ctx context.Context, c conn, refusal error) error {
	late := time.AfterFunc(r.server.options.Patience, c.interrupt)
	defer late.Stop()
	defer context.AfterFunc(ctx, c.interrupt)()
	trace, err := wire.TraceFromEnvironment()
	if err != nil {
		return err
	}
	o := wire.Options{Trace: trace}
	var in io.Reader = c.in
	if socket, err := wire.NewSocket(c.in); err == nil {
		in, o.Descriptors, r.socket = socket, socket, socket
	}
	door, err := wire.Accept(in, c.out, o)
	if err != nil {
		if door != nil {
			_ = door.Refuse(&wire.Hello{Refusal: err.Error(), Code: exitData})
		}
		return err
	}
	r.preamble = &door.Preamble
	r.replies.Session, r.replies.Max = r.preamble.Session, r.preamble.MaxMessage
	hello := r.introduce()
	if refusal != nil {
		hello.Refusal, hello.Code = refusal.Error(), exitUnavailable
	} else if why := r.unfit(); why != "" {
		hello.Refusal, hello.Code = why, exitData
	}
	if hello.Refusal != "" {
		_ = door.Refuse(hello)
		return errors.New(hello.Refusal)
	}
	if r.wire, err = door.Admit(hello, true); err != nil {
		return err
	}
	m := channel.Options{Side: wire.Worker, Handler: r, Heartbeat: r.preamble.Heartbeat}
	if hello.Descriptors {
		m.Lane = wire.NewBinary(strings.NewReader(""), c.in, wire.Options{})
	}
	r.mux = channel.New(r.wire, m)
	return nil
}

// introduce says who is here, as a worker does.
func (r *relay) introduce() *wire.Hello {
	h := &wire.Hello{
		Build: build.ID(), Registry: registry.Fingerprint(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(),
	}
	h.Host, _ = os.Hostname()
	h.Descriptors = r.socket != nil && r.preamble.Descriptors && transport.PassesFiles(r.server.options.Pool.Via)
	if h.Registry != r.preamble.Registry {
		h.Functions = registry.Layouts()
	}
	return h
}

// unfit is what a client wants of its worker that one of a pool cannot be, because others have it after it.
func (r *relay) unfit() string {
	p, what := r.preamble, ""
	switch {
	case p.Dir != "":
		what = "a directory"
	case len(p.Env) > 0:
		what = "an environment"
	case p.Umask != nil:
		what = "a umask"
	case p.Nice != 0:
		what = "a priority"
	default:
		return ""
	}
	return "the workers of a pool serve many, and none gets " + what + " for one of them: give it to the command, or to the pool"
}

// attend waits until the client is gone, or has to go.
func (r *relay) attend(ctx context.Context, ran <-chan error, c conn) error {
	ending := r.server.ending
	for {
		select {
		case err := <-ran:
			return err
		case <-ctx.Done():
		case <-r.server.over:
		case <-ending:
			ending = nil
			r.close()
			continue
		case <-r.quiet:
			if !r.isClosing() {
				continue
			}
		}
		break
	}
	r.close()
	if !r.hasLeft() { // what it says next is answered yet: that it is not done
		select {
		case err := <-ran:
			return err
		case <-ctx.Done():
		case <-r.server.over:
		case <-time.After(onTheWay):
		}
	}
	r.lastWord("the pool's server ends")
	c.interrupt()
	if err := <-ran; err != nil {
		r.log.Debug("pool: client interrupted", "how", err.Error())
	}
	return nil
}

// lastWord tells the client why it is sent away, if it listens.
func (r *relay) lastWord(why string) {
	said := make(chan struct{})
	r.work.Go(func() { // ends with the connection at the latest
		defer close(said)
		_ = r.wire.WriteFrame(wire.Close, wire.End, 0, []byte(why))
		_ = r.wire.Flush()
	})
	select {
	case <-said:
	case <-time.After(500 * time.Millisecond):
	}
}

// close takes no more calls.
func (r *relay) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing = true
	if len(r.tasks) == 0 {
		r.hush()
	}
}

func (r *relay) isClosing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closing
}

// hasLeft reports whether the client knows that it is to go: by itself, or because its one call has ended. Open files come
// another way than the reply, and who has got some goes when they are there.
func (r *relay) hasLeft() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left || !r.preamble.Session && !r.files
}

func (r *relay) hush() {
	select {
	case r.quiet <- struct{}{}:
	default:
	}
}

// finish ends the calls of a client that is gone, and gives its worker back. Nothing waits for what it does not read.
func (r *relay) finish() {
	r.close()
	r.conn.interrupt()
	r.cancelAll()
	r.mux.Shut(io.EOF)
	r.work.Wait()
	close(r.words)
	r.seats.leave()
}

func (r *relay) cancelAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tasks {
		t.cancel(errGone)
	}
}

// Message takes in a call.
func (r *relay) Message(f wire.Frame) {
	if f.Type != wire.Call {
		return // the answer to a callback that nobody waits for any more
	}
	b, err := r.in.BoxFromLink(f.Segments)
	if err != nil {
		r.mux.Disown(b.Streams)
		r.refuse(f.Stream, err)
		return
	}
	entry, ok := registry.Lookup(b.Func)
	if !ok || !r.server.policy.offers(r.names, b.Func) {
		r.mux.Disown(b.Streams)
		r.refuse(f.Stream, &box.PackingError{Func: b.Func, Why: "no such function is offered here"})
		return
	}
	t := newTask(r, f.Stream, entry, b, channel.SizeOf(f.Segments))
	if err := t.adopt(); err != nil {
		t.drop()
		r.mux.Disown(b.Streams) // those that were not adopted
		r.refuse(f.Stream, err)
		return
	}
	if err := r.admit(t); err != nil {
		t.drop()
		r.later(f.Stream, entry.Failed(err))
	}
}

// admit takes a call, unless the client may not make it.
func (r *relay) admit(t *task) error {
	if err := r.server.policy.check(r.who, t.entry, t.box); err != nil {
		r.server.warn(r.who, "function "+t.box.Func, r.log, "refused", "function", t.box.Func, "why", err.Error())
		return err
	}
	if err := t.keep(t.size, false); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closing:
		return ErrClosed
	case r.tasks[t.id] != nil:
		return &box.PackingError{Func: t.box.Func, Why: fmt.Sprintf("call %d runs already", t.id)}
	case len(r.tasks) >= maxCalls:
		return &FullError{Waiting: len(r.tasks)}
	}
	r.calls++
	r.tasks[t.id] = t
	r.work.Go(t.run)
	return nil
}

// leave takes a call off the table.
func (r *relay) leave(t *task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tasks, t.id)
	if len(r.tasks) == 0 && (r.closing || !r.preamble.Session) {
		r.closing = true
		r.hush()
	}
}

// Frame takes in what the client says about calls and about the connection.
func (r *relay) Frame(f wire.Frame) {
	switch f.Type {
	case wire.Cancel:
		r.mu.Lock()
		t := r.tasks[f.Stream]
		r.mu.Unlock()
		if t != nil {
			t.cancelledBy(string(f.Payload))
		}
	case wire.Close:
		r.mu.Lock()
		r.left = true
		r.mu.Unlock()
		r.close()
		r.cancelAll()
	case wire.Status:
		r.report(f)
	case wire.Signal:
		r.server.warn(r.who, "signals", r.log, "refused", "why", "a signal for the worker: nobody has one of a pool for himself")
	}
}

// Opened takes in nothing: a client has no output.
func (r *relay) Opened(stream *channel.Stream, _ channel.Purpose, _ uint32) {
	r.soon(func() { _ = stream.Close() })
}
