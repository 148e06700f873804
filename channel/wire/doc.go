// Package wire carries frames between a program and its worker, over one pipe each way.
//
// The caller begins with a [Preamble] and the worker answers with a [Hello]; both are text, and found in whatever a login
// shell or a sudo lecture prints around them ([Offer], [Accept]). What comes after is a [Wire]: frames of a type, on a
// stream, with a checksum. A wire has two forms with one API: binary on a path that has shown itself to be 8-bit clean,
// and text everywhere else. A call and its reply are messages: many segments of any size, sent in frames between which
// others may stand, and read straight into the memory that they stay in.
//
// SPEC.md has every byte of it. What comes from the other side is checked against [Limits] before it takes memory, and
// reading never waits for more than was announced; how long to wait is up to the caller, who closes the reader.
package wire

import (
	"io"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

// Version is the protocol that this package speaks.
const Version = 1

// A Nonce tells one call's protocol from everything else on the path.
type Nonce = armour.Nonce

// NewNonce returns a nonce that nobody can guess.
func NewNonce() Nonce { return armour.NewNonce() }

// ParseNonce reads the 32 hex digits that Nonce.String wrote.
func ParseNonce(s string) (Nonce, error) { return armour.ParseNonce(s) }

// Excess collects noise: the first 64 KiB are kept, the others counted. It is an io.Writer for [Options], and not safe
// for concurrent use: a [Wire] writes to it only while Next runs.
type Excess = armour.Excess

// The defaults of [Limits].
const (
	DefaultMessage  = 256 << 20
	DefaultSegments = 4096
)

// Limits are what the other side may make a reader hold.
type Limits struct {
	Message  int64 // bytes of one message, and of all that are incomplete; 0 means DefaultMessage
	Segments int   // segments of one message; 0 means DefaultSegments
}

func (l Limits) message() int64 {
	if l.Message > 0 {
		return l.Message
	}
	return DefaultMessage
}

func (l Limits) segments() int {
	if l.Segments > 0 {
		return l.Segments
	}
	return DefaultSegments
}

// Options are how one side wants its wire.
type Options struct {
	Limits Limits
	Noise  io.Writer // gets what is not protocol, as it comes; nil drops it
	Trace  *Trace    // of every frame; nil for none

	Descriptors *Socket // what the wire reads, if it passes descriptors
}
