package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// WatchOptions say who watches, and what.
type WatchOptions struct {
	// Consumer is who watches. Each consumer gets everything that a process prints, independently of the others. Empty: the
	// one without a name; two that watch at once as the same consumer see the same, until one of them acknowledges.
	Consumer string

	// Follow watches also processes that are made later; then the watch has no end.
	Follow bool
}

// An EventKind is what an Event tells.
type EventKind string

// What happens to processes.
const (
	Output      EventKind = "out"    // it has printed to stdout
	ErrorOutput EventKind = "err"    // it has printed to stderr
	Lost        EventKind = "lost"   // Count bytes are gone that this consumer did not get
	Closed      EventKind = "closed" // it has ended, and that was all
)

// An Event is one of the things that a Watcher tells.
type Event struct {
	Kind  EventKind
	Name  string
	PID   int
	At    time.Time // when the kernel saw it, however late it is read
	Data  []byte    // of Output and ErrorOutput
	Count uint64    // of Lost

	// ExitCode is that of Closed: the exit code, or minus the number of the signal that ended it. Known is false if nobody
	// knows it.
	ExitCode int
	Known    bool

	pos uint64 // how much the process had printed behind it
}

// A Watcher tells what processes print and how they end. What it has told stays in the kernel until it is acknowledged: a
// program that ends before that gets it again. It goes on by itself when the connection was lost, also if the kernel's
// server had died, and tells nothing twice. One goroutine uses a Watcher.
type Watcher struct {
	client  *Client
	words   []string
	stream  *Stream
	pending bool             // something was told that is not acknowledged
	over    bool             // nothing is left to watch
	came    []Event          // and was not returned yet
	told    map[place]uint64 // how far each process has been told

	// ExitCode has the exit codes of the processes that have ended, as far as they are known.
	ExitCode map[string]int
}

type place struct {
	name string
	pid  int
}

// WatchProcesses begins to watch the processes that patterns name: exact names, which have to be there, or beginnings of
// names with a star.
func (c *Client) WatchProcesses(ctx context.Context, o WatchOptions, patterns ...string) (*Watcher, error) {
	words := []string{"watch", "processes"}
	if o.Consumer != "" {
		words = append(words, "consumer="+o.Consumer)
	}
	if o.Follow {
		words = append(words, "follow=yes")
	}
	w := &Watcher{client: c, words: append(words, patterns...), told: map[place]uint64{}, ExitCode: map[string]int{}}
	if _, err := w.start(ctx, w.words); err != nil {
		return nil, err
	}
	return w, nil
}

// StartWatching is MakeProcess and WatchProcesses at once, in one message.
func (c *Client) StartWatching(ctx context.Context, name string, spec ProcessSpec) (Process, *Watcher, error) {
	words := append([]string{"make", "process", name, "watch=yes"}, spec.words()...)
	w := &Watcher{client: c, words: []string{"watch", "processes", name}, told: map[place]uint64{}, ExitCode: map[string]int{}}
	line, err := w.start(ctx, words)
	if err != nil {
		return Process{}, nil, err
	}
	list, err := parseProcesses(line)
	if err != nil || len(list) != 1 {
		return Process{}, nil, fmt.Errorf("kernel: it answers %.80q to make process: %w", line, err)
	}
	return list[0], w, nil
}

// start begins to watch. The kernel says something at once: that it watches, or that it cannot.
func (w *Watcher) start(ctx context.Context, words []string) (said string, err error) {
	for {
		if w.stream, err = w.client.Stream(ctx, words...); err != nil {
			return "", err
		}
		if said, err = w.stream.Next(ctx); !errors.Is(err, ErrLost) {
			return said, err
		}
	}
}

// Read acknowledges what it returned before, and waits for more: what has come since, in the order in which it came for each
// process. The error is io.EOF when nothing is left to watch. It asks for more by itself; the context ends the wait only, and
// Read may be called again.
func (w *Watcher) Read(ctx context.Context) ([]Event, error) {
	if err := w.acknowledge(); err != nil {
		return nil, err
	}
	for !w.over || len(w.came) > 0 {
		if events := w.came; len(events) > 0 {
			w.came = nil
			return events, nil
		}
		body, err := w.stream.Next(ctx)
		switch {
		case errors.Is(err, ErrLost):
			if err := w.again(ctx); err != nil {
				return nil, err
			}
			continue
		case errors.Is(err, io.EOF):
			w.over = true
			continue
		case err != nil:
			return nil, err
		}
		events, err := w.parse(body)
		if err != nil {
			return nil, err
		}
		if len(events) > 0 {
			return events, nil
		}
		if w.pending { // all of it had been told before the connection was lost
			if err := w.acknowledge(); err != nil {
				return nil, err
			}
		}
	}
	return nil, io.EOF
}

// again watches again, after the connection was lost. Processes that are gone by now had been told to their end, or somebody
// has removed them.
func (w *Watcher) again(ctx context.Context) error {
	w.pending = false
	_, err := w.start(ctx, w.words)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	left, err := w.left(ctx)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		w.over = true
		return nil
	}
	n := len(w.words) - w.names()
	_, err = w.start(ctx, append(w.words[:n:n], left...))
	return err
}

// names is how many of the words are names.
func (w *Watcher) names() int {
	n := 0
	for _, word := range w.words[2:] {
		if !strings.Contains(word, "=") {
			n++
		}
	}
	return n
}

// left are the names and patterns of which there still is something.
func (w *Watcher) left(ctx context.Context) (left []string, err error) {
	for _, name := range w.words[len(w.words)-w.names():] {
		list, err := w.client.Processes(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			left = append(left, name)
		}
	}
	return left, nil
}

// Acknowledge says that what Read returned last has arrived where it should, and waits until the kernel has given it up: the
// name of a process whose end was told is free then. Read acknowledges, too, without the wait.
func (w *Watcher) Acknowledge(ctx context.Context) error {
	if !w.pending {
		return nil
	}
	if err := w.acknowledge(); err != nil {
		return err
	}
	for !w.over {
		body, err := w.stream.Next(ctx)
		switch {
		case errors.Is(err, ErrLost):
			if err := w.again(ctx); err != nil {
				return err
			}
			continue
		case errors.Is(err, io.EOF):
			w.over = true
			continue
		case err != nil:
			return err
		case body == AcknowledgedPart:
			return nil
		}
		// The connection was lost meanwhile, and what was told comes again, maybe with more behind it.
		if w.came, err = w.parse(body); err != nil || len(w.came) > 0 {
			return err
		}
		if err := w.acknowledge(); err != nil {
			return err
		}
	}
	return nil
}

// AcknowledgedPart is what a kernel answers to an acknowledgement, in machine mode.
const AcknowledgedPart = "acknowledged\n"

func (w *Watcher) acknowledge() error {
	if !w.pending {
		return nil
	}
	w.pending = false
	if err := w.stream.Send(); err != nil && !errors.Is(err, ErrLost) {
		return err
	}
	return nil
}

// Events is what Read returns, one after the other. What the loop has got is acknowledged when it asks for what comes after
// it. It ends when nothing is left to watch, or with an error, which is the last pair's.
func (w *Watcher) Events(ctx context.Context) iter.Seq2[Event, error] {
	return oneByOne(ctx, w.Read)
}

// Ready is a channel for a select: something can be received when Read would not wait, or not long.
func (w *Watcher) Ready() <-chan struct{} { return w.stream.Ready() }

// Left reports whether there is something left to watch. It is false once every process has ended and been acknowledged.
func (w *Watcher) Left() bool { return !w.over }

// Close acknowledges what Read returned last, and ends the watch.
func (w *Watcher) Close(ctx context.Context) error { return w.end(ctx, "q") }

// Leave ends the watch without acknowledging: what Read returned last comes again, to whoever watches next.
func (w *Watcher) Leave(ctx context.Context) error { return w.end(ctx, "leave") }

func (w *Watcher) end(ctx context.Context, word string) error {
	if w.over {
		return nil
	}
	w.over = true
	err := w.stream.Send(word)
	for err == nil {
		_, err = w.stream.Next(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// parse reads events, and leaves out what has been told.
func (w *Watcher) parse(body string) (events []Event, err error) {
	for body != "" {
		line, rest, _ := strings.Cut(body, "\n")
		body = rest
		kind, fields, isEvent := strings.Cut(line, ":")
		if !isEvent {
			continue // "Nothing left to watch", or the process that was made
		}
		e, n, err := parseEvent(EventKind(kind), fields)
		if err != nil || n >= len(body) && n > 0 {
			return nil, fmt.Errorf("kernel: event %.80q cannot be read: %w", line, err)
		}
		if n > 0 {
			e.Data, body = []byte(body[:n]), body[n+1:]
		}
		w.pending = true
		if w.isNew(&e) {
			events = append(events, e)
		}
	}
	return events, nil
}

// isNew reports whether an event has not been told, and cuts off what has.
func (w *Watcher) isNew(e *Event) bool {
	p := place{e.Name, e.PID}
	seen, known := w.told[p]
	if e.Kind == Closed {
		_, twice := w.ExitCode[e.Name]
		if e.Known {
			w.ExitCode[e.Name] = e.ExitCode
		}
		twice = twice && known && seen == closedPos
		w.told[p] = closedPos
		return !twice
	}
	if e.pos <= seen {
		return false
	}
	w.told[p] = e.pos
	if n := e.pos - seen; e.Data != nil && n < uint64(len(e.Data)) {
		e.Data = e.Data[uint64(len(e.Data))-n:]
	}
	return true
}

// closedPos is how far a process has been told that has ended.
const closedPos = ^uint64(0)

// parseEvent reads the fields of an event; n is how many bytes of data follow.
func parseEvent(kind EventKind, text string) (e Event, n int, err error) {
	// A name may have colons in it; nothing after it has.
	fields := strings.Split(text, ":")
	at := len(fields) - 4
	if at < 1 {
		return e, 0, errors.New("it has too few fields")
	}
	e = Event{Kind: kind, Name: strings.Join(fields[:at], ":")}
	var errs [4]error
	e.At, errs[0] = parseSeconds(fields[at])
	switch kind {
	case Closed:
		e.ExitCode, e.Known, errs[1] = parseExit(fields[at+1])
	case Lost:
		e.Count, errs[1] = strconv.ParseUint(fields[at+1], 10, 64)
	default:
		var size uint64
		size, errs[1] = strconv.ParseUint(fields[at+1], 10, 31)
		n = int(size)
	}
	e.pos, errs[2] = strconv.ParseUint(fields[at+2], 10, 64)
	e.PID, errs[3] = strconv.Atoi(fields[at+3])
	return e, n, errors.Join(errs[:]...)
}
