package wire

import (
	"encoding/binary"
	"fmt"
)

// dataSize is how much of a message goes into one frame: the other side can check and copy one while this side sums up
// the next, and a frame that waits for it, such as a cancel, does not wait for long.
const dataSize = 256 << 10

// WriteFrame writes one frame; the pieces of its payload, at most [MaxPayload] bytes in all, are joined. When it returns,
// the frame has been given to the writer, or another goroutine that is writing takes it along; see [Wire.Flush]. Frames
// of one goroutine keep their order.
func (out *outbound) WriteFrame(t Type, flags Flags, stream uint32, payload ...[]byte) error {
	if n := size(payload); n > MaxPayload {
		return &FrameError{Type: t, Stream: stream, Offset: -1, Err: ErrLimit,
			Why: fmt.Sprintf("its payload is %d bytes, more than the limit of %d", n, MaxPayload)}
	}
	h := newHeader(t, flags, stream, payload)
	return out.failed(t, stream, out.frame(&h, payload, true))
}

// WriteLater is WriteFrame for a frame that another one will follow at once: it leaves together with that one. It is for
// small frames.
func (out *outbound) WriteLater(t Type, flags Flags, stream uint32, payload ...[]byte) error {
	if n := size(payload); n > joined {
		return out.WriteFrame(t, flags, stream, payload...)
	}
	h := newHeader(t, flags, stream, payload)
	return out.failed(t, stream, out.frame(&h, payload, false))
}

// WriteMessage writes a message: a call, a reply or a callback. Its segments must not change until it returns. Frames
// that others write on other streams meanwhile go between its frames; a stream carries one message at a time.
func (out *outbound) WriteMessage(t Type, stream uint32, segments [][]byte) error {
	if !t.opensMessage() || len(segments) > DefaultSegments {
		return &FrameError{Type: t, Stream: stream, Offset: -1, Err: ErrLimit,
			Why: fmt.Sprintf("a message of %d segments; it is a call, reply or callback of at most %d", len(segments), DefaultSegments)}
	}
	table := make([]byte, 0, 64)
	table = binary.BigEndian.AppendUint32(table, uint32(len(segments)))
	for _, s := range segments {
		table = binary.BigEndian.AppendUint64(table, uint64(len(s)))
	}
	left := size(segments)
	rest := cursor{segments: segments}
	pieces := append(make([][]byte, 0, 2+len(segments)), table)
	for typ := t; ; typ = Data {
		n := min(left, dataSize)
		left -= n
		pieces = rest.take(pieces, n)
		flags := Flags(0)
		if left == 0 {
			flags = End
		}
		h := newHeader(typ, flags, stream, pieces)
		if err := out.frame(&h, pieces, true); err != nil || left == 0 {
			return out.failed(t, stream, err)
		}
		pieces = pieces[:0]
	}
}

func (out *outbound) failed(t Type, stream uint32, err error) error {
	if err == nil {
		return nil
	}
	return &FrameError{Type: t, Stream: stream, Offset: -1, Why: "it cannot be written", Err: err}
}

// cursor is a place in the bytes of all segments in a row.
type cursor struct {
	segments [][]byte
	used     int // of the first one
}

// take adds the next n bytes, which are there, to pieces, uncopied.
func (c *cursor) take(pieces [][]byte, n int64) [][]byte {
	for n > 0 {
		p := c.segments[0][c.used:]
		if int64(len(p)) > n {
			p = p[:n]
			c.used += len(p)
		} else {
			c.segments, c.used = c.segments[1:], 0
		}
		pieces = append(pieces, p)
		n -= int64(len(p))
	}
	return pieces
}
