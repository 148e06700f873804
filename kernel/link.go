package kernel

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// A link is one connection in machine mode. A goroutine reads it and gives each reply to whoever waits for it.
type link struct {
	conn *net.UnixConn
	in   *bufio.Reader
	done chan struct{} // closed when nothing more comes
	work sync.WaitGroup

	writeMu sync.Mutex // guards out: requests go out whole
	out     []byte

	mu    sync.Mutex // guards what follows
	waits map[uint64]*wait
	last  uint64
	err   error // why it ended
}

// A wait is for the reply of one command.
type wait struct {
	reply  chan reply // has room for one
	stream *Stream    // for commands that talk; may be nil
}

// waits are those that got their reply. One that gave up is not among them: the reply may yet come.
var waits = sync.Pool{New: func() any { return &wait{reply: make(chan reply, 1)} }}

type reply struct {
	body string
	err  error
}

const (
	maxHead  = 256       // bytes of the first line of a reply
	maxReply = 512 << 20 // bytes of a reply: all values of a user, in quotes
	atOnce   = 64 << 10  // of a reply that are believed before they came
)

// errSilent says that somebody took the connection, and did not say in time who they are.
var errSilent = errors.New("kernel: nothing was said in time")

// dial connects and begins the machine mode.
func dial(ctx context.Context, o Options) (*link, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", o.Socket)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	conn := c.(*net.UnixConn)
	l := &link{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), done: make(chan struct{}), waits: map[uint64]*wait{}}
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	err = l.greet(o)
	if !unhook() {
		err = errSilent
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	l.work.Go(l.read)
	return l, nil
}

// greet looks who is there.
func (l *link) greet(o Options) error {
	peer, err := handover.PeerOf(l.conn)
	if err != nil {
		return fmt.Errorf("kernel: who listens on %s cannot be told: %w", o.Socket, err)
	}
	if !trusted(o, peer.UID) {
		return fmt.Errorf("kernel: socket %s is served by uid %d, which is neither root nor this user: %w", o.Socket, peer.UID, ErrDenied)
	}
	text, err := l.in.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		return lost(err)
	}
	said := string(text)
	switch rest, ok := strings.CutPrefix(said, "deliveryboy kernel "); {
	case said == Denial:
		return fmt.Errorf("kernel: socket %s: %w", o.Socket, &Error{Denied, strings.TrimSpace(strings.TrimPrefix(said, "Error: "))})
	case strings.HasPrefix(said, "Error: "):
		return fmt.Errorf("kernel: socket %s: %w", o.Socket, &Error{Limit, strings.TrimSpace(strings.TrimPrefix(said, "Error: "))})
	case !ok:
		return fmt.Errorf("kernel: what listens on %s is no kernel: it says %.80q", o.Socket, said)
	default:
		version, _, _ := strings.Cut(rest, ".")
		if version != strconv.Itoa(ProtocolVersion) {
			return fmt.Errorf("kernel: the kernel on %s speaks version %.20q of the protocol, this program %d", o.Socket, version, ProtocolVersion)
		}
	}
	if _, err := l.in.Discard(len(Prompt)); err != nil {
		return lost(err)
	}
	mode := "mode machine\n"
	if o.Console {
		mode = "mode console\n"
	}
	if _, err := l.conn.Write([]byte(mode)); err != nil {
		return lost(err)
	}
	_, r, _, err := l.next()
	var broken *net.OpError
	if errors.Is(err, io.EOF) || errors.As(err, &broken) {
		return lost(err)
	}
	return errors.Join(err, r.err)
}

// lost is the end of the connection as an error; a time limit is one of its own.
func lost(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// next reads one reply, or a part of one.
func (l *link) next() (tag string, r reply, more bool, err error) {
	text, err := l.in.ReadSlice('\n')
	if err != nil || len(text) > maxHead {
		if err == nil || err == bufio.ErrBufferFull {
			err = fmt.Errorf("kernel: it answers with a line of more than %d bytes", maxHead)
		}
		return "", r, false, err
	}
	first, rest, _ := bytes.Cut(text[:len(text)-1], []byte(" "))
	status, rest, _ := bytes.Cut(rest, []byte(" "))
	kind, code, length := string(status), "", rest
	if kind == "error" {
		var c []byte
		c, length, _ = bytes.Cut(rest, []byte(" "))
		code = string(c)
	}
	if len(first) == 0 || kind != "ok" && kind != "more" && code == "" {
		return "", r, false, fmt.Errorf("kernel: it answers %.80q, which is no reply", text)
	}
	n, err := strconv.Atoi(string(length))
	if err != nil || n < 0 || n > maxReply {
		return "", r, false, fmt.Errorf("kernel: it answers %.80q; a reply may have %d bytes", text, maxReply)
	}
	tag = string(first) // the buffer is about to change
	body, err := l.body(n)
	if err != nil {
		return "", r, false, err
	}
	if kind == "error" {
		return tag, reply{err: &Error{Code(code), body}}, false, nil
	}
	return tag, reply{body: body}, kind == "more", nil
}

// body reads n bytes. It takes memory as they come, not as they are announced.
func (l *link) body(n int) (string, error) {
	if n <= atOnce {
		if n <= l.in.Size() {
			b, err := l.in.Peek(n)
			text := string(b)
			_, _ = l.in.Discard(len(b))
			return text, err
		}
		b := make([]byte, n)
		_, err := io.ReadFull(l.in, b)
		return string(b), err
	}
	var b bytes.Buffer
	_, err := io.CopyN(&b, l.in, int64(n))
	return b.String(), err
}

// read gives replies to those who wait, until the connection ends.
func (l *link) read() {
	var err error
	for {
		var tag string
		var r reply
		var more bool
		if tag, r, more, err = l.next(); err != nil {
			break
		}
		number, failed := strconv.ParseUint(tag, 10, 64)
		if failed != nil {
			if r.err != nil { // it does not say to which
				err = r.err
				break
			}
			continue
		}
		if err = l.deliver(number, r, more); err != nil {
			break
		}
	}
	l.conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = fmt.Errorf("%w: %w", ErrLost, err)
	}
	for tag, w := range l.waits {
		delete(l.waits, tag)
		_ = w.give(reply{err: l.err}, false) // what could not be given is not the last
	}
	close(l.done)
}

func (l *link) deliver(tag uint64, r reply, more bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.waits[tag]
	if w == nil {
		return nil // nobody waits any more
	}
	if !more {
		delete(l.waits, tag)
	}
	return w.give(r, more)
}

// give never waits.
func (w *wait) give(r reply, more bool) error {
	switch {
	case w.stream != nil:
		return w.stream.give(r, more)
	case !more:
		w.reply <- r
	}
	return nil
}

// over reports whether the connection has ended.
func (l *link) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *link) close() {
	l.conn.Close()
	l.work.Wait()
}

// begin gives a command a tag, and sends it.
func (l *link) begin(words []string, w *wait) (tag uint64, err error) {
	l.mu.Lock()
	if l.over() {
		l.mu.Unlock()
		return 0, l.err
	}
	l.last++
	tag = l.last
	l.waits[tag] = w
	l.mu.Unlock()
	return tag, l.send(tag, words)
}

// send writes one line, with bytes where words need them.
func (l *link) send(tag uint64, words []string) error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	b := strconv.AppendUint(l.out[:0], tag, 10)
	for _, w := range words {
		b = append(b, ' ')
		b = appendWord(b, w)
	}
	b = append(b, '\n')
	l.out = b
	if cap(b) > 64<<10 {
		l.out = nil
	}
	if _, err := l.conn.Write(b); err != nil {
		l.conn.Close() // half of it may be there
		return lost(err)
	}
	return nil
}

// longWord is from how many bytes on a word goes as it is, after its length.
const longWord = 64

func appendWord(b []byte, w string) []byte {
	if q := ""; len(w) < longWord {
		if q = line.Quote(w); len(q) <= longWord {
			return append(b, q...)
		}
	}
	b = strconv.AppendInt(append(b, '{'), int64(len(w)), 10)
	return append(append(b, "}\n"...), w...)
}

// ask sends a command and waits for its reply. Sent says whether the kernel may have got it.
func (l *link) ask(ctx context.Context, words []string) (body string, sent bool, err error) {
	w := waits.Get().(*wait)
	tag, err := l.begin(words, w)
	if tag == 0 {
		return "", false, err
	}
	if err != nil {
		l.forget(tag)
		return "", true, err
	}
	select {
	case r := <-w.reply:
		waits.Put(w)
		return r.body, true, r.err
	case <-ctx.Done():
		l.forget(tag)
		return "", true, fmt.Errorf("kernel: %w", context.Cause(ctx))
	}
}

func (l *link) forget(tag uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waits, tag)
}
