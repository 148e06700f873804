package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	// HeaderSize is the size of a frame's header.
	HeaderSize = 16

	// MaxPayload is the most that one frame may hold: 1 MiB.
	MaxPayload = 1 << 20

	summed = 12 // the bytes of the header that the checksum covers
)

// Type says what a frame is. SPEC.md has the table; a reader passes on what it does not know.
type Type uint8

// The types of frames. Who sends them, and what is in them:
const (
	Call       Type = 1  // caller: a message, the box's segments
	Reply      Type = 2  // whoever was called: a message, the reply's segments
	Data       Type = 3  // both: the next bytes of a message or a stream
	Open       Type = 4  // both: a stream begins; what it is for, and the call that it belongs to
	Credit     Type = 5  // both: how many more bytes the other side may send on this stream
	Callback   Type = 6  // worker: a message, a call of a function that is an argument
	Cancel     Type = 7  // caller: the call on this stream is to end; the reason as text, may be empty
	Started    Type = 8  // worker: the function on this stream runs now, or with More, waits for its turn; empty
	Close      Type = 9  // both: nothing more will be sent; on stream 0 the reason as text, else a fault; empty for a normal end
	Ping       Type = 10 // both: a sign of life
	Status     Type = 11 // caller: a question about the worker; worker: the answer
	Signal     Type = 12 // caller: a signal for the worker
	Descriptor Type = 13 // both: open files that come along with the frame
)

var typeNames = [...]string{
	Call: "call", Reply: "reply", Data: "data", Open: "open", Credit: "credit", Callback: "callback", Cancel: "cancel",
	Started: "started", Close: "close", Ping: "ping", Status: "status", Signal: "signal", Descriptor: "descriptor",
}

func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// opensMessage says whether frames of this type announce a message.
func (t Type) opensMessage() bool { return t == Call || t == Reply || t == Callback }

// Flags are a frame's flags. A reader ignores those it does not know.
type Flags uint8

// The flags.
const (
	End    Flags = 1 // the last frame of a message, or of one direction of a stream
	More   Flags = 2 // of data: the item goes on in the next data frame of the stream
	Answer Flags = 4 // of ping and status: this is the answer, or wants none
)

// A Header stands before each payload: type, flags, two bytes of zero, stream id, length of the payload, and the CRC-32
// over these twelve bytes and the payload, all big endian.
type Header [HeaderSize]byte

// Type is the frame's type.
func (h *Header) Type() Type { return Type(h[0]) }

// Flags are the frame's flags.
func (h *Header) Flags() Flags { return Flags(h[1]) }

// Reserved is zero in this version.
func (h *Header) Reserved() uint16 { return binary.BigEndian.Uint16(h[2:]) }

// Stream is the id of the stream: odd if the caller opened it, even if the worker did, 0 for the connection itself.
func (h *Header) Stream() uint32 { return binary.BigEndian.Uint32(h[4:]) }

// Length is the length of the payload.
func (h *Header) Length() uint32 { return binary.BigEndian.Uint32(h[8:]) }

// Sum is the checksum that the sender computed.
func (h *Header) Sum() uint32 { return binary.BigEndian.Uint32(h[summed:]) }

// newHeader returns the header for a payload, which the caller has found to be short enough.
func newHeader(t Type, flags Flags, stream uint32, payload [][]byte) (h Header) {
	h[0], h[1] = byte(t), byte(flags)
	binary.BigEndian.PutUint32(h[4:], stream)
	binary.BigEndian.PutUint32(h[8:], uint32(size(payload)))
	sum := crc32.ChecksumIEEE(h[:summed])
	for _, p := range payload {
		sum = crc32.Update(sum, crc32.IEEETable, p)
	}
	binary.BigEndian.PutUint32(h[summed:], sum)
	return h
}

func size(pieces [][]byte) int64 {
	n := int64(0)
	for _, p := range pieces {
		n += int64(len(p))
	}
	return n
}
