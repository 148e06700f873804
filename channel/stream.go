package channel

import (
	"context"
	"encoding/binary"
	"io"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// A Stream goes both ways, and carries bytes or items, whichever its two ends agree on: Read and Write for bytes, Send
// and Receive for items. It is safe for concurrent use; concurrent reads, and concurrent writes, take turns.
//
// Each direction has a window: a writer waits when the other side does not read. A direction ends with CloseWrite, both
// with Close or CloseWithError, or when the connection ends; what came before the end can be read all the same.
type Stream struct {
	mux  *Mux
	id   uint32
	ours bool // this side opened it

	adopted bool // guarded by mux.mu: somebody has it

	reading  sync.Mutex // held by whoever takes from the queue, so that items are not torn apart
	writing  sync.Mutex // held by whoever sends, so that items are not mixed
	readable signal     // something came, or ended
	writable signal     // credit came, or an end
	demand   chan struct{}
	closed   chan struct{} // both directions have ended

	mu       sync.Mutex // guards what follows
	queue    []piece    // what came and was not taken
	item     []byte     // the beginning of an item, of which the rest is still to come
	allowed  int        // what the other side may still send
	taken    int        // what was taken since the last credit
	read     int        // what was taken in all, up to where the window grows
	wide     bool       // the window has grown
	ended    bool       // the other side's direction has ended
	credit   int        // what this side may still send
	sentEnd  bool       // this side's direction has ended
	demanded bool
	err      error // why both directions have ended, for readers; nil while they have not
	over     bool
	unmet    bool   // the other side has closed it with err, which nobody here has got
	unheard  func() // called when the other side's direction ends though both have; may be nil
}

// A piece is the payload of one data frame.
type piece struct {
	data []byte // not yet taken
	buf  *[]byte
	cost int // what it took of the credit, and has not given back
	more bool
}

func newStream(m *Mux, id uint32, ours bool) *Stream {
	return &Stream{
		mux: m, id: id, ours: ours, allowed: Window, credit: Window,
		readable: newSignal(), writable: newSignal(), demand: make(chan struct{}), closed: make(chan struct{}),
	}
}

// ID is the stream's number on its wire.
func (s *Stream) ID() uint32 { return s.id }

// Closed is closed when both directions have ended.
func (s *Stream) Closed() <-chan struct{} { return s.closed }

// Err is nil while the stream is open, and after it was closed in good order; otherwise it is the error that it was
// closed with, or a *[LostError].
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == ErrClosed || s.err == io.EOF {
		return nil
	}
	return s.err
}

// Wait waits until both directions have ended, and returns what Err does.
func (s *Stream) Wait(ctx context.Context) error {
	select {
	case <-s.closed:
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// CloseWrite ends this side's direction. The other side reads what was sent, and then io.EOF. One that has closed the stream
// with an error which nobody has met here learns that by the end.
func (s *Stream) CloseWrite() error {
	s.writing.Lock() // after whoever is sending
	defer s.writing.Unlock()
	s.mu.Lock()
	if s.sentEnd || s.over && !s.unmet {
		s.mu.Unlock()
		return nil
	}
	s.sentEnd = true
	s.finishIfDone()
	s.mu.Unlock()
	s.writable.raise()
	return s.mux.wire.WriteFrame(wire.Data, wire.End, s.id)
}

// Close ends both directions in good order. What the other side has sent so far can still be read here, and what this
// side has sent, there. Closing what is closed does nothing.
func (s *Stream) Close() error { return s.close(nil) }

// CloseWithError ends both directions; the other side gets err from its next write, and from its reads when it has
// read what was sent before. It is rebuilt there so that errors.Is and errors.As work.
func (s *Stream) CloseWithError(err error) error {
	if err == nil {
		return s.close(nil)
	}
	return s.close(box.EncodeFault(box.FaultOf(err)))
}

// closeUnlessEnded is CloseWithError for an error that somebody has to hear of: whoever uses the stream on the other side, or
// else unheard is called, when that side's direction ends.
func (s *Stream) closeUnlessEnded(err error, unheard func()) error {
	s.mu.Lock()
	over := s.over
	told := !over && (!s.ended || s.demanded) // who has asked for a close waits for the answer
	if !over {
		if told {
			s.unheard = unheard // in the same moment, or the end might come between
		}
		s.finish(ErrClosed)
	}
	s.mu.Unlock()
	if !told {
		unheard()
	}
	if over {
		return nil
	}
	return s.mux.wire.WriteFrame(wire.Close, wire.End, s.id, box.EncodeFault(box.FaultOf(err)))
}

// meet notes that somebody here got the error that the other side has closed the stream with.
func (s *Stream) meet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unmet = false
}

// heard is called when nobody will ask any more whether an error was met.
func (s *Stream) heard() {
	s.mu.Lock()
	s.unheard = nil
	over := s.over
	s.mu.Unlock()
	if over {
		s.mux.forget(s)
	}
}

func (s *Stream) close(fault []byte) error {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return nil
	}
	s.finish(ErrClosed)
	s.mu.Unlock()
	return s.mux.wire.WriteFrame(wire.Close, wire.End, s.id, fault)
}

// finish ends both directions. It is called with s.mu held.
func (s *Stream) finish(err error) {
	if s.over {
		return
	}
	s.over, s.err = true, err
	if s.wide {
		s.mux.wide.Add(-1)
	}
	close(s.closed)
	s.readable.raise()
	s.writable.raise()
	if s.unheard == nil {
		s.mux.forget(s)
	}
}

// finishIfDone ends the stream when both of its directions have. It is called with s.mu held.
func (s *Stream) finishIfDone() {
	if s.sentEnd && s.ended {
		s.finish(io.EOF)
	}
}

// lose ends the stream because its connection has.
func (s *Stream) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(err)
}

// closedByPeer takes in that the other side has closed both directions.
func (s *Stream) closedByPeer(fault []byte) {
	err := io.EOF
	if len(fault) > 0 {
		f, bad := box.DecodeFault(fault)
		if bad != nil {
			err = bad
		} else {
			err = f.Err(box.Origin{})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.unmet = true, s.unmet || !s.over && err != io.EOF
	s.finish(err)
}

// data takes in a data frame.
func (s *Stream) data(f wire.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		if f.End() && s.unheard != nil {
			if !s.demanded {
				s.unheard()
			}
			s.unheard = nil
			s.mux.forget(s)
		}
		return nil
	}
	if s.ended {
		return breach(f, "data after its end")
	}
	if cost := len(f.Payload) + frameCost; len(f.Payload) > 0 || !f.End() {
		if cost > s.allowed {
			return breach(f, "%d bytes where the window has room for %d", cost, s.allowed)
		}
		s.allowed -= cost
		p := newPiece(f.Payload, s.mux.wire)
		p.cost, p.more = cost, f.Flags&wire.More != 0
		s.queue = append(s.queue, p)
	}
	if f.End() {
		s.ended = true
		s.finishIfDone()
	}
	s.readable.raise()
	return nil
}

// credited takes in that the other side has read, or wants to.
func (s *Stream) credited(f wire.Frame) error {
	if len(f.Payload) != 4 {
		return breach(f, "got %d bytes, want 4", len(f.Payload))
	}
	more := binary.BigEndian.Uint32(f.Payload)
	s.mu.Lock()
	defer s.mu.Unlock()
	if more > WideWindow || s.credit+int(more) > WideWindow {
		return breach(f, "%d more make the window larger than %d", more, WideWindow)
	}
	s.credit += int(more)
	if !s.demanded {
		s.demanded = true
		close(s.demand)
	}
	s.writable.raise()
	return nil
}

// Demand tells the other side that this one waits for data. It is for streams whose other end takes what it sends from
// somewhere that must not be read before that.
func (s *Stream) Demand() error {
	return s.mux.wire.WriteFrame(wire.Credit, 0, s.id, make([]byte, 4))
}

// Demanded waits for the other side's Demand, or for anything that shows that it has read.
func (s *Stream) Demanded(ctx context.Context) error {
	select {
	case <-s.demand:
		return nil
	case <-s.closed:
		return s.writeError()
	case <-ctx.Done():
		return ctx.Err()
	}
}
