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

	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// A Notice says that something has happened in a kernel.
type Notice struct {
	Kind  string            // "socket", "value" or "process"
	Name  string            // whose it is
	What  string            // "make", "set", "start", "exit" …: "help watch events" tells all; or Missed
	At    time.Time         // when
	Facts map[string]string // of processes "pid", with "exit" also "exitcode", with "signal" also "signal"

	// Count is how many events were missed, of those that are not watched, too, where What is Missed. 0 is that nobody knows:
	// the connection was lost, or the kernel became another program. List what there is, then.
	Count uint64
}

// Missed is What of a Notice that others have not been told.
const Missed = "missed"

// An EventWatcher tells what happens in a kernel. It goes on by itself when the connection was lost. One goroutine uses it.
type EventWatcher struct {
	client  *Client
	words   []string
	stream  *Stream
	pending bool // something was shown, and more comes only when it is asked for
	over    bool
}

// WatchEvents begins to watch what happens from now on. Patterns are of the form KIND.NAME.WHAT, such as "process.web.exit",
// "process.web.*", "value.app.*.set"; none is all. Unlike what processes print, events are not kept: who is slow misses some,
// and is told so.
func (c *Client) WatchEvents(ctx context.Context, patterns ...string) (*EventWatcher, error) {
	w := &EventWatcher{client: c, words: append([]string{"watch", "events"}, patterns...)}
	return w, w.start(ctx)
}

func (w *EventWatcher) start(ctx context.Context) (err error) {
	for {
		if w.stream, err = w.client.Stream(ctx, w.words...); err != nil {
			return err
		}
		if _, err = w.stream.Next(ctx); !errors.Is(err, ErrLost) { // "watching"
			return err
		}
	}
}

// Read waits for something to happen. The context ends the wait only, and Read may be called again. After Close it is io.EOF.
func (w *EventWatcher) Read(ctx context.Context) ([]Notice, error) {
	if w.over {
		return nil, io.EOF
	}
	if w.pending {
		w.pending = false
		if err := w.stream.Send(); err != nil && !errors.Is(err, ErrLost) {
			return nil, err
		}
	}
	body, err := w.stream.Next(ctx)
	if errors.Is(err, ErrLost) {
		if err := w.start(ctx); err != nil {
			return nil, err
		}
		return []Notice{{What: Missed, At: time.Now()}}, nil
	}
	if err != nil {
		return nil, err
	}
	w.pending = true
	return parseNotices(body)
}

// All is what Read returns, one after the other. It ends with an error, which is the last pair's, or with Close.
func (w *EventWatcher) All(ctx context.Context) iter.Seq2[Notice, error] {
	return oneByOne(ctx, w.Read)
}

// Ready is a channel for a select: something can be received when Read would not wait, or not long.
func (w *EventWatcher) Ready() <-chan struct{} { return w.stream.Ready() }

// Close ends the watch.
func (w *EventWatcher) Close(ctx context.Context) error {
	if w.over {
		return nil
	}
	w.over = true
	err := w.stream.Send("q")
	for err == nil {
		_, err = w.stream.Next(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

func parseNotices(body string) (list []Notice, err error) {
	for text := range strings.Lines(body) {
		words, _, err := line.Split(strings.TrimSuffix(text, "\n"))
		if err != nil || len(words) < 2 {
			return nil, fmt.Errorf("kernel: event %.80q cannot be read: %w", text, err)
		}
		n := Notice{At: time.Now()}
		if words[0] == Missed {
			n.What = Missed
			n.Count, _ = strconv.ParseUint(words[1], 10, 64) // or unknown
			list = append(list, n)
			continue
		}
		first, last := strings.IndexByte(words[0], '.'), strings.LastIndexByte(words[0], '.')
		if first <= 0 || last <= first {
			return nil, fmt.Errorf("kernel: event %.80q cannot be read: it is about nothing", text)
		}
		n.Kind, n.Name, n.What = words[0][:first], words[0][first+1:last], words[0][last+1:]
		if n.At, err = parseSeconds(words[1]); err != nil {
			return nil, fmt.Errorf("kernel: event %.80q cannot be read: %w", text, err)
		}
		for _, w := range words[2:] {
			key, value, _ := strings.Cut(w, "=")
			if n.Facts == nil {
				n.Facts = map[string]string{}
			}
			n.Facts[key] = value
		}
		list = append(list, n)
	}
	return list, nil
}
