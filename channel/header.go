package channel

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

// The types of frames that are in use. Who sends them, and what is in them:
const (
	Call    Type = 1 // caller: a message, the box's segments
	Reply   Type = 2 // worker: a message, the reply's segments
	Data    Type = 3 // both: the bytes of the message that Call or Reply announced
	Stdout  Type = 4 // worker: what the function printed, as it is
	Stderr  Type = 5 // worker: what the function printed, as it is
	Log     Type = 6 // worker: one record, as UTF-8 text
	Cancel  Type = 7 // caller: the call on this stream is to end; the reason as text, may be empty
	Started Type = 8 // worker: the function on this stream runs now; empty
	Close   Type = 9 // both: nothing more will be sent; the reason as text, empty for a normal end
)

var typeNames = [...]string{
	Call: "call", Reply: "reply", Data: "data", Stdout: "stdout", Stderr: "stderr", Log: "log", Cancel: "cancel",
	Started: "started", Close: "close",
}

func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// opensMessage says whether frames of this type announce a message.
func (t Type) opensMessage() bool { return t == Call || t == Reply }

// Flags are a frame's flags. A reader ignores those it does not know.
type Flags uint8

// End marks the last frame of a message, or of one direction of a stream.
const End Flags = 1

// A Header stands before each payload: type, flags, two bytes of zero, stream id, length of the payload, and the CRC-32C
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

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newHeader returns the header for a payload, which the caller has found to be short enough.
func newHeader(t Type, flags Flags, stream uint32, payload [][]byte) (h Header) {
	h[0], h[1] = byte(t), byte(flags)
	binary.BigEndian.PutUint32(h[4:], stream)
	binary.BigEndian.PutUint32(h[8:], uint32(size(payload)))
	sum := crc32.Checksum(h[:summed], castagnoli)
	for _, p := range payload {
		sum = crc32.Update(sum, castagnoli, p)
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
