package wire

import (
	"io"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

// A Wire carries frames both ways, in the binary or the text form.
//
// Frames may be written from many goroutines at once. One goroutine at a time may call Next. To stop one that waits,
// close what it reads or writes.
type Wire struct {
	inbound
	*outbound
	text bool
}

// Side is which end of the wire this program is.
type Side uint8

// The sides of a wire.
const (
	Caller Side = 1
	Worker Side = 2
)

// The text form marks the direction of every frame: a terminal may echo what is sent to it.
var frameLabels = map[Side]string{Caller: "CALLER FRAME", Worker: "WORKER FRAME"}

// NewBinary returns a wire in the binary form.
func NewBinary(r io.Reader, w io.Writer, o Options) *Wire { return newBinary(newFeedOf(r), w, o) }

func newBinary(f *feed, w io.Writer, o Options) *Wire {
	return &Wire{
		inbound: inbound{
			source: &binarySource{feed: f, noise: o.Noise}, limits: o.Limits, trace: o.Trace, socket: o.Descriptors,
		},
		outbound: newOutbound(w, o),
	}
}

// NewText returns a wire in the text form: every frame in an armoured block that carries the nonce. Whatever stands
// between the blocks is noise.
func NewText(r io.Reader, w io.Writer, nonce Nonce, side Side, o Options) *Wire {
	other := Caller + Worker - side
	scan := armour.NewScanner(armour.NewReader(r), frameLabels[other], nonce)
	scan.Max, scan.Noise = sequenceSize+HeaderSize+MaxPayload, o.Noise
	out := newOutbound(w, o)
	out.label, out.nonce = frameLabels[side], nonce
	return &Wire{
		inbound:  inbound{source: &textSource{scan: scan}, limits: o.Limits, trace: o.Trace},
		outbound: out,
		text:     true,
	}
}

// Text says whether the wire is in the text form.
func (w *Wire) Text() bool { return w.text }

// SetLimits changes the limits for the messages that are announced from now on. It may not run together with Next.
func (w *Wire) SetLimits(l Limits) { w.limits = l }
