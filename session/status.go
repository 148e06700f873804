package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// Status is what a worker does at the moment. It answers while functions run.
type Status struct {
	Executing  int           // functions that run
	Queued     int           // calls that wait, because of Options.Concurrent
	Calls      int64         // calls since the worker started, these included
	Streams    int           // streams that are open: output, live arguments, channels
	Goroutines int           // of the worker
	RSS        int64         // its memory, in bytes
	Uptime     time.Duration // since it started
}

// Info is who a worker is.
type Info struct {
	Go       string // the version that built it
	Build    string
	OS, Arch string
	Host     string
	Dir      string // where it is
	User     string // may be empty
	PID      int
	UID, GID int
	Groups   []int
	Hops     []string // what each hop of the way runs
}

// maxAnswer is the longest answer to a question about the worker: a dump of many goroutines.
const maxAnswer = 64 << 20

// The questions, as SPEC.md has them.
const (
	askStatus = "s"
	askInfo   = "i"
	askDump   = "g"
)

// An ask is a question about the worker that waits for its answer.
type ask struct {
	text []byte
	full bool          // it came to its end
	done chan struct{} // closed when no more comes
}

// Status asks the worker what it does.
func (s *Session) Status(ctx context.Context) (Status, error) {
	text, err := s.ask(ctx, askStatus)
	if err != nil {
		return Status{}, err
	}
	f, err := fieldsOf(text)
	st := Status{
		Executing: int(f.number("executing")), Queued: int(f.number("queued")), Calls: f.number("calls"),
		Streams: int(f.number("streams")), Goroutines: int(f.number("goroutines")), RSS: f.number("rss"),
		Uptime: time.Duration(f.number("uptime")),
	}
	return st, errors.Join(err, f.err)
}

// Info asks the worker who it is.
func (s *Session) Info(ctx context.Context) (Info, error) {
	l := s.current.Load()
	text, err := s.ask(ctx, askInfo)
	if err != nil {
		return Info{}, err
	}
	f, err := fieldsOf(text)
	i := Info{
		Go: f.text("go"), Build: f.text("build"), OS: f.text("os"), Arch: f.text("arch"), Host: f.text("host"),
		Dir: f.text("cwd"), User: f.text("user"),
		PID: int(f.number("pid")), UID: int(f.number("uid")), GID: int(f.number("gid")),
		Hops: l.origin("", true).Hops,
	}
	for _, g := range f.values["groups"] {
		n, bad := strconv.Atoi(g)
		err = errors.Join(err, bad)
		i.Groups = append(i.Groups, n)
	}
	return i, errors.Join(err, f.err)
}

// Dump returns the stacks of all goroutines of the worker: it shows where a function hangs.
func (s *Session) Dump(ctx context.Context) (string, error) {
	text, err := s.ask(ctx, askDump)
	return string(text), err
}

// Signal has the worker send itself a signal.
func (s *Session) Signal(ctx context.Context, sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok || n <= 0 {
		return fmt.Errorf("session: signal %v: not a signal of this system", sig)
	}
	l, sent := s.current.Load(), make(chan error, 1)
	payload := binary.BigEndian.AppendUint32(nil, uint32(n))
	if !l.aside(func() { sent <- l.mux.WriteFrame(wire.Signal, 0, 0, payload) }) {
		return l.refused("")
	}
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// aside writes in a goroutine of its own: a full pipe must not make anybody wait for longer than the context says. It is
// false if the link takes no more.
func (l *link) aside(write func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.lost {
		l.work.Go(write)
	}
	return !l.lost
}

// ask puts a question to the worker.
func (s *Session) ask(ctx context.Context, question string) ([]byte, error) {
	l, a := s.current.Load(), &ask{done: make(chan struct{})}
	id := l.question(a)
	defer l.forget(id)
	if !l.aside(func() { _ = l.mux.WriteFrame(wire.Status, 0, id, []byte(question)) }) {
		return nil, l.refused("")
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return nil, l.failed("", "wait", box.NotStarted, ctx.Err())
	}
	if !a.full {
		return nil, l.refused("")
	}
	return a.text, nil
}

func (l *link) question(a *ask) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asks == nil {
		l.asks = map[uint32]*ask{}
	}
	id := l.mux.NextID()
	l.asks[id] = a
	return id
}

func (l *link) forget(id uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.asks, id)
}

// answered takes in a piece of an answer.
func (l *link) answered(f wire.Frame) {
	if f.Flags&wire.Answer == 0 {
		return // a worker has nothing to ask
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.asks[f.Stream]
	if a == nil {
		return // nobody waits any more
	}
	if a.text = append(a.text, f.Payload...); f.End() || len(a.text) > maxAnswer {
		a.full = f.End()
		delete(l.asks, f.Stream)
		close(a.done)
	}
}

// answerFields are the `key "value"` lines of an answer.
type answerFields struct {
	values map[string][]string
	err    error
}

func fieldsOf(text []byte) (*answerFields, error) {
	f := &answerFields{values: map[string][]string{}}
	for line := range strings.Lines(string(text)) {
		key, quoted, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return f, fmt.Errorf("session: answer: line %.80q has not the form key %q", line, "value")
		}
		f.values[key] = append(f.values[key], value)
	}
	return f, nil
}

func (f *answerFields) text(key string) string { return strings.Join(f.values[key], " ") }

func (f *answerFields) number(key string) int64 {
	text := f.text(key)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f.err = errors.Join(f.err, fmt.Errorf("session: answer: %s %.80q is not a number", key, text))
	}
	return n
}
