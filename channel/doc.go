// Package channel carries many streams over one wire, and the typed values that live on them.
//
// A [Mux] takes what the other side sends on a [wire.Wire] apart by stream. A [Stream] is two-way, of bytes or of items,
// with a window of credit each way: a reader that stops reading stops its writer, and nothing else. A [Channel] is a
// stream of values of one type. The arguments and results of a function that stay where they are while the call runs,
// such as an io.Reader or a callback, are bridged over streams by [Bridges].
//
// # Limits
//
// What the other side may make this one hold is bounded: [Window] bytes for each stream and direction, [WideWindow]
// for some of them, [MaxStreams] streams that it opened, [MaxItem] bytes of one item while somebody receives it. Whoever sends more ends the
// connection.
//
// SPEC.md has every byte of it.
package channel

// What both sides hold to; SPEC.md has the same numbers.
const (
	// Window is how many bytes a side may send on a stream before the other one has taken any: 256 KiB.
	Window = 256 << 10

	// MaxStreams is how many streams one side may have open at a time, unless [Options] say otherwise.
	MaxStreams = 1024

	// MaxItem is the most that one item may take: 64 MiB.
	MaxItem = 64 << 20

	// WideWindow is what the window of a stream may grow to while it is read: 1 MiB. At most [MaxWide] streams of a side
	// have one at a time.
	WideWindow = 1 << 20

	// MaxWide is how many streams of one side have a wide window at most.
	MaxWide = 64

	// chunk is how much one data frame of a stream holds: others do not wait long for their turn.
	chunk = 256 << 10

	// frameCost is what a data frame takes of the credit besides its payload: empty items are not free.
	frameCost = 64
)
