package channel

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// Read reads bytes. At the end of the other side's direction it is io.EOF; after the other side's CloseWithError, that
// error; after a Close of this side's, [ErrClosed].
func (s *Stream) Read(p []byte) (int, error) { return s.ReadContext(context.Background(), p) }

// ReadContext is Read that gives up when ctx is done.
func (s *Stream) ReadContext(ctx context.Context, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		s.mu.Lock()
		n := 0
		for n < len(p) && len(s.queue) > 0 {
			n += s.take(p[n:])
		}
		if n > 0 {
			grant := s.grant()
			s.mu.Unlock()
			s.give(grant)
			return n, nil
		}
		if err := s.readError(); err != nil {
			s.mu.Unlock()
			return 0, err
		}
		empty := s.passEmpty()
		s.mu.Unlock()
		if empty {
			continue
		}
		if err := s.readable.wait(ctx); err != nil {
			return 0, err
		}
	}
}

// Receive returns the next item; it belongs to the caller. At the end it gives what Read does. If ctx ends within an
// item, the next Receive goes on with it.
func (s *Stream) Receive(ctx context.Context) ([]byte, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		s.mu.Lock()
		item, whole := s.assemble()
		grant := s.grant()
		var err error
		if !whole && len(s.item) > MaxItem {
			err = &box.EncodingError{What: "item", Why: fmt.Sprintf("it has more than the limit of %d bytes", MaxItem)}
		} else if !whole {
			err = s.readError()
		}
		s.mu.Unlock()
		s.give(grant)
		switch {
		case whole:
			return item, nil
		case err != nil:
			if _, tooLong := err.(*box.EncodingError); tooLong {
				_ = s.CloseWithError(err)
			}
			return nil, err
		}
		if err := s.readable.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// assemble takes the pieces of an item from the queue, as many as are there.
func (s *Stream) assemble() (item []byte, whole bool) {
	for len(s.queue) > 0 && len(s.item) <= MaxItem {
		p := &s.queue[0]
		if s.item == nil && !p.more {
			item = p.own()
			s.drop()
			return item, true
		}
		s.item = append(s.item, p.data...)
		more := p.more
		s.drop()
		if !more {
			item, s.item = s.item, nil
			return item, true
		}
	}
	return nil, false
}

// take moves bytes from the first piece to p.
func (s *Stream) take(p []byte) int {
	first := &s.queue[0]
	n := copy(p, first.data)
	first.data = first.data[n:]
	if len(first.data) == 0 {
		s.drop()
		return n
	}
	first.cost -= n
	s.taken += n
	return n
}

// passEmpty drops a first piece without bytes: somebody sent an empty item to a reader of bytes.
func (s *Stream) passEmpty() bool {
	if len(s.queue) == 0 {
		return false
	}
	s.drop()
	return true
}

// drop gives the first piece's memory and credit back.
func (s *Stream) drop() {
	p := s.queue[0]
	s.queue[0] = piece{}
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	s.taken += p.cost
	p.release()
}

// grant decides how much credit to give: not each frame's, but a quarter of the window at a time.
func (s *Stream) grant() int {
	if s.taken < Window/4 || s.ended || s.over {
		return 0
	}
	n := s.taken
	s.taken = 0
	if s.read += n; !s.wide && s.read >= WideWindow && s.mux.widen() {
		s.wide = true
		n += WideWindow - Window
	}
	s.allowed += n
	return n
}

func (s *Stream) give(n int) {
	if n > 0 {
		// If it cannot be written, the connection is at its end, which readers learn otherwise.
		_ = s.mux.wire.WriteFrame(wire.Credit, 0, s.id, binary.BigEndian.AppendUint32(nil, uint32(n)))
	}
}

// readError is why nothing more will come, nil if it may. It is called with s.mu held, and with an empty queue.
func (s *Stream) readError() error {
	switch {
	case len(s.queue) > 0:
		return nil
	case s.over && s.err != io.EOF:
		s.unmet = false
		return s.readable.again(s.err)
	case s.ended || s.over:
		return s.readable.again(ended(s.item))
	}
	return nil
}
