package channel

import (
	"context"
	"fmt"
	"io"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// Write sends bytes. It returns when they are on their way; it waits while the other side does not read.
func (s *Stream) Write(p []byte) (int, error) { return s.WriteContext(context.Background(), p) }

// WriteContext is Write that gives up when ctx is done.
func (s *Stream) WriteContext(ctx context.Context, p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	sent := 0
	for sent < len(p) {
		n, err := s.acquire(ctx, len(p)-sent)
		if err != nil {
			return sent, err
		}
		if err := s.mux.wire.WriteFrame(wire.Data, 0, s.id, p[sent:sent+n]); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// Send sends the pieces, joined, as one item of at most [MaxItem] bytes. If ctx ends when a part of the item is already
// on its way, the stream is closed with the context's error: half an item is of no use to anyone.
func (s *Stream) Send(ctx context.Context, pieces ...[]byte) error {
	left := 0
	for _, p := range pieces {
		left += len(p)
	}
	if left > MaxItem {
		return &box.EncodingError{What: "item", Why: fmt.Sprintf("it has %d bytes, more than the limit of %d: send a stream", left, MaxItem)}
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	for begun := false; ; begun = true {
		n, err := s.acquire(ctx, left)
		if err != nil {
			if begun {
				_ = s.CloseWithError(err)
			}
			return err
		}
		left -= n
		flags := wire.Flags(0)
		if left > 0 {
			flags = wire.More
		}
		var part [][]byte
		part, pieces = cut(pieces, n)
		if err := s.mux.wire.WriteFrame(wire.Data, flags, s.id, part...); err != nil || left == 0 {
			return err
		}
	}
}

// acquire waits for credit, and takes it for a frame of up to n bytes; it returns for how many.
func (s *Stream) acquire(ctx context.Context, n int) (int, error) {
	n = min(n, chunk)
	for {
		s.mu.Lock()
		switch {
		case s.over || s.sentEnd:
			s.mu.Unlock()
			return 0, s.writeError()
		case s.credit >= min(n, chunk/4)+frameCost:
			n = min(n, s.credit-frameCost)
			s.credit -= n + frameCost
			s.mu.Unlock()
			return n, nil
		}
		s.mu.Unlock()
		if err := s.writable.wait(ctx); err != nil {
			return 0, err
		}
	}
}

// writeError is what a write gives on a stream that has ended.
func (s *Stream) writeError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil || s.err == io.EOF {
		return ErrClosed
	}
	s.unmet = false
	return s.err
}

// cut returns the first n bytes of pieces, and the rest.
func cut(pieces [][]byte, n int) (first, rest [][]byte) {
	for len(pieces) > 0 && n >= len(pieces[0]) {
		n -= len(pieces[0])
		first, pieces = append(first, pieces[0]), pieces[1:]
	}
	if n == 0 {
		return first, pieces
	}
	rest = append([][]byte{pieces[0][n:]}, pieces[1:]...)
	return append(first, pieces[0][:n]), rest
}
