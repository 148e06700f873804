package channel

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

const (
	// writeBuffer joins small frames into one write. What is larger goes through it uncopied, but for its beginning.
	writeBuffer = 16 << 10

	// dataSize is how much of a message goes into one frame: the other side can check and copy one while this side
	// sums up the next, and a frame that waits for it, such as a cancel, does not wait for long.
	dataSize = 256 << 10
)

// outbound is the writing half of a wire. It is safe for concurrent use.
type outbound struct {
	label string // of the text form's blocks; empty for the binary form
	nonce Nonce

	mu     sync.Mutex // guards what follows
	w      *bufio.Writer
	number uint32 // of the next frame, in the text form
	head   Header // here and not on the stack, so that it need not be allocated
	pieces [][]byte
}

// WriteFrame writes one frame; the pieces of its payload, at most [MaxPayload] bytes in all, are joined. When it returns,
// the frame has been given to the writer.
func (out *outbound) WriteFrame(t Type, flags Flags, stream uint32, payload ...[]byte) error {
	if n := size(payload); n > MaxPayload {
		return &FrameError{Type: t, Stream: stream, Offset: -1, Err: ErrLimit,
			Why: fmt.Sprintf("its payload is %d bytes, more than the limit of %d", n, MaxPayload)}
	}
	h := newHeader(t, flags, stream, payload)
	out.mu.Lock()
	defer out.mu.Unlock()
	err := out.frame(h, payload)
	if err == nil {
		err = out.w.Flush()
	}
	return out.failed(t, stream, err)
}

// WriteMessage writes a message of type Call or Reply. Its segments are not copied, and must not change until it
// returns. Frames that others write on other streams meanwhile go between its frames; a stream carries one message at a
// time.
func (out *outbound) WriteMessage(t Type, stream uint32, segments [][]byte) error {
	if !t.opensMessage() || len(segments) > DefaultSegments {
		return &FrameError{Type: t, Stream: stream, Offset: -1, Err: ErrLimit,
			Why: fmt.Sprintf("a message of %d segments; it is a call or reply of at most %d", len(segments), DefaultSegments)}
	}
	table := binary.BigEndian.AppendUint32(make([]byte, 0, 4+8*len(segments)), uint32(len(segments)))
	for _, s := range segments {
		table = binary.BigEndian.AppendUint64(table, uint64(len(s)))
	}
	left := size(segments)
	flags := Flags(0)
	if left == 0 {
		flags = End
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	err := out.frame(newHeader(t, flags, stream, [][]byte{table}), [][]byte{table})
	for rest := (cursor{segments: segments}); left > 0 && err == nil; {
		n := min(left, dataSize)
		if left -= n; left == 0 {
			flags = End
		}
		out.pieces = rest.take(out.pieces[:0], n)
		if err = out.frame(newHeader(Data, flags, stream, out.pieces), out.pieces); err == nil && left > 0 {
			out.mu.Unlock() // whoever waits may write a frame now
			out.mu.Lock()
		}
	}
	clear(out.pieces)
	if err == nil {
		err = out.w.Flush()
	}
	return out.failed(t, stream, err)
}

// frame writes one frame to the buffer.
func (out *outbound) frame(h Header, payload [][]byte) error {
	out.head = h
	if out.label != "" {
		return out.textFrame(payload)
	}
	if _, err := out.w.Write(out.head[:]); err != nil {
		return err
	}
	for _, p := range payload {
		if _, err := out.w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// textFrame writes the frame whose header is in out.head as an armoured block, numbered.
func (out *outbound) textFrame(payload [][]byte) error {
	number := binary.BigEndian.AppendUint32(nil, out.number)
	out.number++
	return armour.Write(out.w, out.label, out.nonce, append([][]byte{number, out.head[:]}, payload...)...)
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
