package pool

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport/handover"
	"github.com/seed354a1416/deliveryboy/worker/server"
)

// maxTalk is how many commands one conversation may have at a time: each holds its line.
const maxTalk = 16

// A talk is the conversation in JSON with one client, which is a client of the server within this process: what it may, which
// worker it gets, for how long, and what ends with it is as for all others.
type talk struct {
	conn    *net.UnixConn
	speaker speaker // to conn
	client  *Client
	who     Peer
	debt    *debt
	log     *slog.Logger
	work    sync.WaitGroup // commands

	out  sync.Mutex // is held while a line is written; before mu; guards deaf
	deaf bool       // the client does not read

	mu   sync.Mutex // guards jobs
	jobs map[int64]*errand
}

// talk serves one client until it is gone, ctx ends, or the server does.
func (s *Server) talk(ctx context.Context, c server.Text) {
	t := &talk{
		conn: c.Conn, speaker: speaker{to: c.Conn, patience: s.options.WriteTimeout}, log: c.Log, jobs: map[int64]*errand{},
		who: Peer{UID: c.Peer.UID, Groups: c.Peer.Groups, PID: c.Peer.PID},
	}
	begun := time.Now()
	t.log.Debug("pool: client", "speaks", "JSON")
	err := t.serve(ctx, s)
	if t.isDeaf() {
		err = errDeaf
	}
	after := time.Since(begun).Round(time.Millisecond).String()
	if err != nil {
		s.warn(t.who, "clients", t.log, "pool: client ended", "after", after, "why", err.Error())
	} else {
		t.log.Debug("pool: client ended", "after", after)
	}
}

func (t *talk) serve(ctx context.Context, s *Server) error {
	defer context.AfterFunc(ctx, t.interrupt)()
	lines := bufio.NewReader(io.MultiReader(strings.NewReader(string(handover.TextMark)), t.conn))
	_ = t.conn.SetReadDeadline(time.Now().Add(s.options.Patience))
	first, err := readLine(lines)
	if err != nil {
		t.refuse(-1, err)
		return err
	}
	t.client, err = DialVia(ctx, s.Via(t.who), session.Options{Stdout: io.Discard, Stderr: io.Discard})
	if err != nil {
		t.fail(-1, "busy", err)
		return err
	}
	_ = t.conn.SetReadDeadline(time.Time{})
	if ctx.Err() != nil { // it may have set the deadline before
		t.interrupt()
	}
	t.debt = s.debtOf(t.who)
	left, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		t.watch(left)
	}()
	err = t.listen(ctx, lines, first)
	t.interrupt()
	close(left)
	_ = t.client.Close() // and with it the commands
	t.work.Wait()
	<-watched
	return err
}

// interrupt makes reads and writes return.
func (t *talk) interrupt() {
	_ = t.conn.SetReadDeadline(time.Now())
	t.speaker.hurry(0)
}

func (t *talk) isDeaf() bool {
	t.out.Lock()
	defer t.out.Unlock()
	return t.deaf
}

// watch ends the conversation when the server has sent the client away: what is still to be said has little time.
func (t *talk) watch(left <-chan struct{}) {
	select {
	case <-left:
	case <-t.client.Done():
		t.speaker.hurry(onTheWay)
		_ = t.conn.SetReadDeadline(time.Now())
	}
}

// listen takes in lines until no more come, and those that were asked for have ended, or the client is gone.
func (t *talk) listen(ctx context.Context, lines *bufio.Reader, text []byte) (err error) {
	for err == nil {
		t.hear(ctx, text)
		text, err = readLine(lines)
	}
	switch {
	case errors.Is(err, errLine):
		t.refuse(-1, err)
		return err
	case errors.Is(err, errNoEnd):
		t.refuse(-1, err)
	case err != io.EOF: //nolint:errorlint // a Reader gives io.EOF itself
		if t.client.Alive() && ctx.Err() == nil {
			return errGone
		}
		t.work.Wait() // the server ends, and commands that were let go on have ended: they may have something to say
		return nil
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		t.work.Wait()
		_ = t.conn.SetReadDeadline(time.Now())
	}()
	if gone(t.conn) {
		t.interrupt()
		_ = t.client.Close()
	}
	<-over
	return nil
}

// hear does what a line says.
func (t *talk) hear(ctx context.Context, text []byte) {
	l, err := parseLine(text)
	switch {
	case err != nil:
		t.refuse(l.id, err)
	case l.kill >= 0:
		t.kill(l)
	default:
		t.begin(ctx, l, int64(len(text)))
	}
}

func (t *talk) kill(l line) {
	t.mu.Lock()
	e := t.jobs[l.kill]
	t.mu.Unlock()
	if e == nil {
		t.refuse(l.id, fmt.Errorf("kill: no command with id %d runs", l.kill))
		return
	}
	e.cancel(errCancelled)
	_ = t.say(said{ID: &l.id, Killed: &l.kill})
}

// begin begins a command of a line of so many bytes, if there is room.
func (t *talk) begin(ctx context.Context, l line, size int64) {
	e := &errand{talk: t, line: l, size: size}
	if over := t.debt.keep(size); over != nil {
		over.UID = t.who.UID
		t.fail(l.id, "busy", over)
		return
	}
	t.mu.Lock()
	n, twice := len(t.jobs), t.jobs[l.id] != nil
	if !twice && n < maxTalk {
		e.ctx, e.cancel = context.WithCancelCause(ctx)
		t.jobs[l.id] = e
		t.work.Go(e.run)
	}
	t.mu.Unlock()
	if e.ctx == nil {
		t.debt.drop(size)
	}
	switch {
	case twice:
		t.refuse(l.id, fmt.Errorf("id %d: a command with it runs", l.id))
	case n >= maxTalk:
		t.fail(l.id, "busy", fmt.Errorf("%d commands run on this connection, which is all that may; wait for one to end", n))
	}
}

// said is a line to the client.
type said struct {
	ID     *int64   `json:"id"`
	Out    []byte   `json:"out,omitempty"`
	Err    []byte   `json:"err,omitempty"`
	Code   *int     `json:"code,omitempty"`
	Signal string   `json:"signal,omitempty"`
	Killed *int64   `json:"killed,omitempty"`
	Error  *failure `json:"error,omitempty"`
	*whole
}

// A whole is all that a command wrote, or the beginning of it.
type whole struct {
	Stdout  []byte `json:"stdout"`
	Stderr  []byte `json:"stderr"`
	Dropped int64  `json:"dropped,omitempty"`
}

type failure struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// refuse says that a line cannot be understood.
func (t *talk) refuse(id int64, err error) {
	t.fail(id, "request", fmt.Errorf("pool: request: %w", err))
}

// fail says that a request is not done. It names the id, unless that is another command's, which goes on.
func (t *talk) fail(id int64, kind string, err error) {
	t.mu.Lock()
	runs := t.jobs[id] != nil
	t.mu.Unlock()
	s := said{Error: &failure{kind, err.Error()}}
	if id >= 0 && !runs {
		s.ID = &id
	}
	_ = t.say(s)
}

// say writes a line.
func (t *talk) say(s said) error {
	t.out.Lock()
	defer t.out.Unlock()
	return t.write(s)
}

// write is called with out held. A client that cannot be written to is gone.
func (t *talk) write(s said) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return err
	}
	if t.debt != nil {
		n := int64(b.Len())
		t.debt.drop(-n)
		defer t.debt.drop(n)
	}
	_, err := t.speaker.Write(b.Bytes())
	if err != nil {
		if errors.Is(err, errDeaf) {
			t.deaf = true
		}
		t.interrupt()
	}
	return err
}

// An errand is one command of a conversation.
type errand struct {
	*talk
	line
	size   int64 // of the request
	ctx    context.Context
	cancel context.CancelCauseFunc
}

const (
	maxPiece = 32 << 10 // bytes of output in a line
	maxWhole = 1 << 20  // bytes of an output that is told in one
)

// run has the command run, and says how it ended.
func (e *errand) run() {
	defer e.cancel(nil)
	defer e.debt.drop(e.size)
	ctx := e.ctx
	if e.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.timeout)
		defer cancel()
	}
	out, errs := newTally(e.debt), newTally(e.debt)
	defer out.drop()
	defer errs.drop()
	streams := process.Stdio{Stdout: &piece{e, false}, Stderr: &piece{e, true}}
	if e.whole {
		streams.Stdout, streams.Stderr = out, errs
	}
	if len(e.stdin) > 0 {
		streams.Stdin = bytes.NewReader(e.stdin)
	}
	state, err := e.wait(ctx, streams)
	s := e.end(ctx, state, err)
	if e.line.whole && s.Error == nil {
		s.whole = &whole{out.kept.bytes, errs.kept.bytes, out.kept.dropped + errs.kept.dropped}
		n := int64(len(out.kept.bytes) + len(errs.kept.bytes))
		e.debt.add(n)
		defer e.debt.add(-n)
	}
	e.out.Lock() // the id is free when the client knows it
	defer e.out.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	_ = e.write(s)
	delete(e.jobs, e.id)
}

// wait runs the command to its end, or to that of the context.
func (e *errand) wait(ctx context.Context, streams process.Stdio) (process.State, error) {
	p, err := process.On(e.client).Start(ctx, e.config, streams)
	if err != nil {
		return process.State{}, err
	}
	defer p.Close() //nolint:errcheck // its end is known
	state, err := p.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		after := context.WithoutCancel(ctx)
		_ = p.Kill(after)
		state, err = p.Wait(after)
	}
	return state, err
}

// end is what to say of a command's end.
func (e *errand) end(ctx context.Context, state process.State, err error) said {
	s, kind := said{ID: &e.id}, "failed"
	late := errors.Is(context.Cause(ctx), context.DeadlineExceeded)
	var over *KeptError
	switch {
	case err == nil && state.Exited():
		s.Code = &state.Code
		return s
	case late:
		kind, err = "timeout", fmt.Errorf("pool: it took longer than its %s, and was ended", e.timeout)
	case err == nil:
		s.Signal = state.Signal
		return s
	case errors.Is(context.Cause(ctx), errCancelled):
		kind, err = "killed", errors.New("pool: it was killed before it ran")
	case errors.As(err, new(*DeniedError)):
		kind = "denied"
	case errors.As(err, &over) && !over.Ran, errors.As(err, new(*FullError)), errors.Is(err, ErrClosed), errors.Is(err, ErrSpent):
		kind = "busy"
	case errors.As(err, new(*TimeoutError)):
		kind = "timeout"
	}
	s.Error = &failure{kind, err.Error()}
	return s
}

// A tally is the beginning of what a command writes, and counts as kept for the client. What is too much is left out.
type tally struct {
	kept kept
	debt *debt
}

func newTally(d *debt) *tally {
	return &tally{kept{left: maxWhole, bytes: []byte{}}, d}
}

func (t *tally) Write(p []byte) (int, error) {
	if t.debt.keep(min(int64(len(p)), t.kept.left)) != nil {
		t.kept.left = 0
	}
	return t.kept.Write(p)
}

func (t *tally) drop() { t.debt.drop(int64(len(t.kept.bytes))) }

// A piece writes what a command writes as it comes.
type piece struct {
	errand *errand
	err    bool
}

func (p *piece) Write(data []byte) (n int, err error) {
	for n < len(data) && err == nil {
		part := data[n:min(len(data), n+maxPiece)]
		s := said{ID: &p.errand.id, Out: part}
		if p.err {
			s.Out, s.Err = nil, part
		}
		if err = p.errand.say(s); err == nil {
			n += len(part)
		}
	}
	return n, err
}
