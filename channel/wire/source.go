package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

// A source is where frames come from: first a header, then its payload in as many pieces as the reader likes.
type source interface {
	// header reads the next header. The error is io.EOF where a stream may end.
	header(h *Header) error
	// read fills p with the next bytes of the payload.
	read(p []byte) error
	// drain takes in what comes after the last frame, which is noise, until the stream ends.
	drain() error
	// offset is where the next read begins, for errors.
	offset() int64
}

type binarySource struct {
	feed  *feed
	noise io.Writer // gets what comes after the last frame; may be nil
	at    int64
}

func (s *binarySource) header(h *Header) error { return s.full(h[:]) }

func (s *binarySource) read(p []byte) error {
	err := s.full(p)
	if err == io.EOF && len(p) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (s *binarySource) full(p []byte) error {
	n, err := s.feed.full(p)
	s.at += int64(n)
	return err
}

func (s *binarySource) drain() error {
	to := s.noise
	if to == nil {
		to = io.Discard
	}
	n, err := io.Copy(to, s.feed.rest())
	s.at += n
	return err
}

func (s *binarySource) offset() int64 { return s.at }

// sequenceSize is the size of the number before each frame in the text form. A block that noise has destroyed is noise
// itself; the numbers show that it is missing.
const sequenceSize = 4

type textSource struct {
	scan *armour.Scanner
	buf  []byte // kept for the next block
	rest []byte // what is left of this one
	next uint32
}

func (s *textSource) header(h *Header) error {
	block, err := s.scan.Next(s.buf)
	if e := (*armour.Error)(nil); errors.As(err, &e) && errors.Is(err, armour.ErrTooLong) {
		return fmt.Errorf("%w: %w", err, ErrLimit)
	} else if err != nil {
		return err
	}
	s.buf, s.rest = block, block
	if len(block) < sequenceSize+HeaderSize {
		return fmt.Errorf("got %d bytes, want %d for number and header: %w", len(block), sequenceSize+HeaderSize, ErrProtocol)
	}
	if n := binary.BigEndian.Uint32(block); n != s.next {
		return fmt.Errorf("got frame %d, want %d: %w", n, s.next, ErrMangled)
	}
	s.next++
	copy(h[:], block[sequenceSize:])
	s.rest = block[sequenceSize+HeaderSize:]
	if n := h.Length(); n <= MaxPayload && int(n) != len(s.rest) {
		return fmt.Errorf("got %d bytes, want %d of payload: %w", len(s.rest), n, ErrProtocol)
	}
	return nil
}

func (s *textSource) read(p []byte) error {
	if len(p) > len(s.rest) {
		return fmt.Errorf("got %d bytes, want %d more: %w", len(s.rest), len(p), io.ErrUnexpectedEOF)
	}
	s.rest = s.rest[copy(p, s.rest):]
	return nil
}

func (s *textSource) drain() error {
	for {
		if _, err := s.scan.Next(s.buf); err != nil {
			return noEOF(err)
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func (s *textSource) offset() int64 {
	_, at := s.scan.Span()
	return at
}
