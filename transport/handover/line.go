package handover

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// What a record carries. It is its first byte; three bytes of length follow, and as many of payload.
const (
	recordWord   = 'w' // a word and what belongs to it, as on a unix socket
	recordNames  = 'n' // the caller's first: version, names
	recordIn     = 'i' // bytes of stdin; none: its end
	recordOut    = 'o' // of stdout
	recordErr    = 'e' // of stderr
	recordCredit = 'c' // 4 bytes: how much more of stdin may come
)

const (
	header    = 4
	maxRecord = 16<<10 - header // bytes of payload of streams: a record fills one of TLS
	window    = 256 << 10       // bytes of stdin that the worker has not taken yet
	sayHello  = "welcome"       // the server's first word, with whom it knows
)

var errRecord = errors.New("it does not speak as it should")

// A Line carries the three streams of a worker and the words about it over one connection, which has been authenticated.
type Line struct {
	conn net.Conn
	in   *bufio.Reader

	mu  sync.Mutex // guards out, and keeps records whole
	out []byte
}

// NewLine makes a line of a connection. It does not close it.
func NewLine(conn net.Conn) *Line {
	return &Line{conn: conn, in: bufio.NewReaderSize(conn, maxRecord+header)}
}

func (l *Line) write(kind byte, payload []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = binary.BigEndian.AppendUint32(l.out[:0], uint32(kind)<<24|uint32(len(payload)))
	l.out = append(l.out, payload...)
	_, err := l.conn.Write(l.out)
	return err
}

// read reads a record into buf, which limits it.
func (l *Line) read(buf []byte) (kind byte, payload []byte, err error) {
	var head [header]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:]) & (1<<24 - 1)
	if int64(n) > int64(len(buf)) {
		return 0, nil, fmt.Errorf("%w: a record of %d bytes", errRecord, n)
	}
	if _, err := io.ReadFull(l.in, buf[:n]); err != nil {
		return 0, nil, noEnd(err)
	}
	return head[0], buf[:n], nil
}

// noEnd makes an end within something an error.
func noEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// say writes a word. It waits no longer than for a caller that reads.
func (l *Line) say(verb, text string) error {
	text = plain(text)
	_ = l.conn.SetWriteDeadline(time.Now().Add(sayWait))
	err := l.write(recordWord, []byte(verb+" "+text[:min(len(text), maxLine/2)]))
	_ = l.conn.SetWriteDeadline(time.Time{})
	return err
}

// The server's side, in the order of what it says.

// Welcome says that the caller may ask, and as whom the server knows it.
func (l *Line) Welcome(who string) error { return l.say(sayHello, who) }

// Names reads what the caller wants its worker narrowed to, until a deadline of the connection's.
func (l *Line) Names() ([]string, error) {
	kind, payload, err := l.read(make([]byte, maxNames+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the names of functions: %w", err)
	case kind != recordNames || len(payload) == 0 || payload[0] != version:
		return nil, errors.New("it does not begin as a connector does")
	case len(payload) == 1:
		return nil, nil
	}
	return strings.Split(string(payload[1:]), ","), nil
}

// Started says that the worker is there.
func (l *Line) Started(pid int) error { return l.say(sayStarted, strconv.Itoa(pid)) }

// Ended says how the worker ended, after all that it wrote.
func (l *Line) Ended(status syscall.WaitStatus) error {
	if status.Signaled() {
		return l.say(saySignal, strconv.Itoa(int(status.Signal())))
	}
	return l.say(sayExit, strconv.Itoa(status.ExitStatus()))
}

// Refused says why there is no worker.
func (l *Line) Refused(why error) error { return l.say(sayRefused, why.Error()) }

// Busy says why there is no worker now.
func (l *Line) Busy(why error) error { return l.say(sayBusy, why.Error()) }

// SendOut carries what the worker writes to stdout or stderr to the caller, until its end or that of the connection.
func (l *Line) SendOut(from io.Reader, isErr bool) {
	kind := byte(recordOut)
	if isErr {
		kind = recordErr
	}
	buf := make([]byte, maxRecord)
	for {
		n, err := from.Read(buf)
		if n > 0 && l.write(kind, buf[:n]) != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// TakeIn carries the caller's stdin to the worker, until the connection ends: it is always read, so that its end is noticed
// also if the worker does not read. The error is nil if the caller ended it.
func (l *Line) TakeIn(to io.WriteCloser) error {
	q := newQueue()
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.drain(to, l)
	}()
	err := l.takeIn(q)
	q.cut()
	_ = to.Close() // interrupts a write
	<-done
	return err
}

func (l *Line) takeIn(q *queue) error {
	buf := make([]byte, maxRecord)
	for {
		kind, payload, err := l.read(buf)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case kind != recordIn:
			return fmt.Errorf("%w: a record of kind %q", errRecord, kind)
		case len(payload) == 0:
			q.end()
		case !q.add(payload):
			return fmt.Errorf("%w: more of stdin than there is room for", errRecord)
		}
	}
}
