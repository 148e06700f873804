package wire

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	// upFront is how much of one segment is allocated because its length was announced; the rest follows its bytes.
	upFront = 64 << 20

	// small is up to which size the segments of a message share their memory.
	small = 32 << 10

	// segmentCost is what a segment costs the reader besides its bytes.
	segmentCost = 64
)

// message is a call or reply that is being received.
type message struct {
	typ      Type
	sizes    []int64
	segments [][]byte
	at       int   // the segment that the next byte is for
	left     int64 // bytes to come
	cost     int64 // what it may take of the memory, at most
}

// announced begins a message from the frame that announces it; it is done at once if all its segments are empty.
func (in *inbound) announced(h *Header, at int64, f Frame) (Frame, bool, error) {
	if in.open[f.Stream] != nil {
		return f, false, h.at(at, ErrProtocol, "the message before it on this stream is not complete")
	}
	m, err := in.newMessage(h, at)
	if err != nil {
		return f, false, err
	}
	m.advance()
	first := in.buf[m.table():]
	if int64(len(first)) > m.left {
		return f, false, h.at(at, ErrProtocol, "it brings %d bytes where it announces %d", len(first), m.left)
	}
	if ends := f.End(); ends != (int64(len(first)) == m.left) {
		return f, false, h.at(at, ErrProtocol, "it brings %d of %d bytes, and its end flag is %t", len(first), m.left, ends)
	}
	m.begin(first)
	if m.left == 0 {
		f.Segments = m.segments
		return f, true, nil
	}
	if in.open == nil {
		in.open = make(map[uint32]*message)
	}
	in.open[f.Stream] = m
	in.held += m.cost
	return f, false, nil
}

// newMessage checks the table in in.buf: the number of segments, and the length of each.
func (in *inbound) newMessage(h *Header, at int64) (*message, error) {
	if len(in.buf) < 4 {
		return nil, h.at(at, ErrProtocol, "got %d bytes, want 4 for the number of segments", len(in.buf))
	}
	n, limit := binary.BigEndian.Uint32(in.buf), in.limits.segments()
	if int64(n) > int64(limit) {
		return nil, h.at(at, ErrLimit, "it announces %d segments, more than the limit of %d", n, limit)
	}
	if want := 4 + 8*int(n); len(in.buf) < want {
		return nil, h.at(at, ErrProtocol, "got %d bytes, want %d for %d segments", len(in.buf), want, n)
	}
	m := &message{typ: h.Type(), sizes: make([]int64, n), segments: make([][]byte, n)}
	room := uint64(in.limits.message())
	for i := range m.sizes {
		size := binary.BigEndian.Uint64(in.buf[4+8*i:])
		if size > room-uint64(m.left) {
			return nil, h.at(at, ErrLimit, "segment %d of %d bytes makes it longer than the limit of %d", i, size, room)
		}
		m.sizes[i] = int64(size)
		m.left += int64(size)
	}
	m.cost = m.left + segmentCost*int64(n+1)
	if in.held+m.cost > int64(room)+MaxPayload { // a MiB for what segments cost
		return nil, h.at(at, ErrLimit, "it announces %d bytes where %d may come already; the limit is %d", m.left, in.held, room)
	}
	return m, nil
}

// table is the length of the table that announced the message.
func (m *message) table() int { return 4 + 8*len(m.sizes) }

// begin takes in the bytes that came with the announcement. A small message gets its memory at once.
func (m *message) begin(first []byte) {
	if m.left <= small {
		memory := make([]byte, m.left)
		for i, size := range m.sizes {
			if size > 0 {
				m.segments[i], memory = memory[:0:size], memory[size:]
			}
		}
	}
	for len(first) > 0 {
		n := copy(m.room(int64(len(first))), first)
		first = first[n:]
		m.left -= int64(n)
		m.advance()
	}
}

func (in *inbound) close(stream uint32, m *message) {
	delete(in.open, stream)
	in.held -= m.cost
}

// fill reads a Data frame's payload into the segments, where it stays.
func (in *inbound) fill(m *message, h *Header, at int64) error {
	n := int64(h.Length())
	if n > m.left {
		return h.at(at, ErrProtocol, "it brings %d bytes where %d are to come", n, m.left)
	}
	if ends := h.Flags()&End != 0; ends != (n == m.left) {
		return h.at(at, ErrProtocol, "it brings %d of the last %d bytes, and its end flag is %t", n, m.left, ends)
	}
	sum := crc32.ChecksumIEEE(h[:summed])
	for n > 0 {
		p := m.room(n)
		if err := in.piece(h, at, p, &sum); err != nil {
			return err
		}
		n -= int64(len(p))
		m.left -= int64(len(p))
		m.advance()
	}
	return h.check(at, sum)
}

// advance goes to the segment that the next byte is for.
func (m *message) advance() {
	for m.at < len(m.sizes) && int64(len(m.segments[m.at])) == m.sizes[m.at] {
		if m.segments[m.at] == nil {
			m.segments[m.at] = []byte{}
		}
		m.at++
	}
}

// room returns the memory for the next bytes of the message, at most n of them and at least one.
func (m *message) room(n int64) []byte {
	seg, size := m.segments[m.at], m.sizes[m.at]
	have := int64(len(seg))
	if have == int64(cap(seg)) {
		bigger := make([]byte, have, min(size, max(upFront, 2*have)))
		copy(bigger, seg)
		seg = bigger
	}
	n = min(n, int64(cap(seg))-have)
	m.segments[m.at] = seg[:have+n]
	return seg[have : have+n]
}
