package channel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// Purpose says what a stream is for.
type Purpose uint8

// The purposes of streams.
const (
	ForValue  Purpose = 0 // a live argument, result or item refers to it
	ForStdout Purpose = 1 // what a call, or the session, prints
	ForStderr Purpose = 2
	ForLog    Purpose = 3 // records of log/slog
)

// A Handler gets what is not a stream's. Its methods are called one at a time, by the goroutine that reads the wire: they
// must not block, and above all not write to it.
type Handler interface {
	Message(f wire.Frame)                     // a call or a reply
	Frame(f wire.Frame)                       // started, cancel, status, signal, and close of stream 0
	Opened(s *Stream, p Purpose, call uint32) // a stream of the other side for output or logs
}

// Options are how a side wants its mux.
type Options struct {
	Side       wire.Side
	Handler    Handler
	Heartbeat  time.Duration // how often this side shows that it is there, and expects the other to; 0: never
	MaxStreams int           // that the other side may have open; 0: [MaxStreams]
	Lane       *wire.Wire    // where descriptors are sent, if not on the wire itself
}

// A Mux carries many streams over one wire. It is safe for concurrent use.
type Mux struct {
	wire    *wire.Wire
	o       Options
	heard   atomic.Bool // anything, since the last tick of the heart
	errands errands
	calls   callbacks
	done    chan struct{}
	wide    atomic.Int32 // streams with a wide window

	mu      sync.Mutex // guards what follows
	streams map[uint32]*Stream
	files   fileShelf
	last    uint32 // the last id of this side's
	theirs  int    // streams that the other side opened
	err     error  // why it has ended
}

// New returns the mux of one side. Nothing is read before [Mux.Run].
func New(w *wire.Wire, o Options) *Mux {
	m := &Mux{wire: w, o: o, done: make(chan struct{}), streams: map[uint32]*Stream{}}
	m.last = uint32(o.Side) - 2 // the caller's ids are odd: 1, 3, …; the worker's even: 2, 4, …
	if o.MaxStreams <= 0 {
		m.o.MaxStreams = MaxStreams
	}
	return m
}

// NextID returns an id for a stream, call or callback of this side. After two thousand million of them they begin again:
// whoever keeps calls under their ids passes over those in use.
func (m *Mux) NextID() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nextID()
}

func (m *Mux) nextID() uint32 {
	for {
		m.last += 2
		if m.last != 0 && m.streams[m.last] == nil {
			return m.last
		}
	}
}

// Open opens a stream of this side's; call is the call that it belongs to, 0 for none.
func (m *Mux) Open(p Purpose, call uint32) (*Stream, error) {
	m.mu.Lock()
	if m.err != nil {
		defer m.mu.Unlock()
		return nil, &LostError{m.err}
	}
	s := newStream(m, m.nextID(), true)
	m.streams[s.id] = s
	m.mu.Unlock()
	return s, m.announce(s, p, call, m.wire.WriteFrame)
}

// announce tells the other side of a stream.
func (m *Mux) announce(s *Stream, p Purpose, call uint32, write func(wire.Type, wire.Flags, uint32, ...[]byte) error) error {
	err := write(wire.Open, 0, s.id, binary.BigEndian.AppendUint32([]byte{byte(p)}, call))
	if err != nil {
		m.forget(s)
	}
	return err
}

// Adopt returns a stream that the other side opened for a value, to whoever got the value. Each can be adopted once.
func (m *Mux) Adopt(id uint32) (*Stream, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.streams[id]
	if s == nil || s.ours || s.adopted {
		if m.err != nil {
			return nil, &LostError{m.err}
		}
		return nil, &box.EncodingError{What: "stream", Why: fmt.Sprintf("the other side refers to stream %d, which is not there to be taken", id)}
	}
	s.adopted = true
	return s, nil
}

// Disown closes the live values of a box or reply that is refused, as far as nobody has them: the other side waits for their
// end. It neither waits nor writes.
func (m *Mux) Disown(refs []box.LiveRef) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, r := range refs {
		if stream, err := m.Adopt(r.Stream); err == nil {
			go func() { _ = stream.Close() }() // ends with the connection at the latest
		} else if file, err := m.File(gone, r.Stream); err == nil {
			file.Close()
		}
	}
}

// WriteFrame writes a frame that is not a stream's.
func (m *Mux) WriteFrame(t wire.Type, flags wire.Flags, id uint32, payload ...[]byte) error {
	return m.wire.WriteFrame(t, flags, id, payload...)
}

// WriteMessage writes a call, reply or callback.
func (m *Mux) WriteMessage(t wire.Type, id uint32, segments [][]byte) error {
	return m.wire.WriteMessage(t, id, segments)
}

// Streams is the number of streams that are open.
func (m *Mux) Streams() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.streams)
}

// Done is closed when the connection has ended.
func (m *Mux) Done() <-chan struct{} { return m.done }

// Err is nil while the connection lasts; then it is why it ended, io.EOF if the other side just went away.
func (m *Mux) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Shut ends the connection for everyone on this side: streams and callbacks fail with err. Run goes on until what the
// wire reads is closed.
func (m *Mux) Shut(err error) {
	if err == nil {
		err = io.EOF
	}
	m.mu.Lock()
	if m.err != nil {
		m.mu.Unlock()
		return
	}
	m.err = err
	streams := m.streams
	m.streams = map[uint32]*Stream{}
	files := m.files.empty()
	close(m.done)
	m.mu.Unlock()
	lost := &LostError{err}
	for _, s := range streams {
		s.lose(lost)
	}
	closeAll(files)
	m.calls.lose(lost)
	m.errands.stop()
}

// forget takes a stream off the table.
func (m *Mux) forget(s *Stream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.streams[s.id] == s {
		delete(m.streams, s.id)
		if !s.ours {
			m.theirs--
		}
	}
}

// widen reports whether one more stream may have a wide window.
func (m *Mux) widen() bool {
	if m.wide.Add(1) <= MaxWide {
		return true
	}
	m.wide.Add(-1)
	return false
}

func (m *Mux) stream(id uint32) *Stream {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.streams[id]
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

var errTooManyStreams = errors.New("too many streams are open")
