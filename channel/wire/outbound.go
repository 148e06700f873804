package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"sync"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

const (
	// joined is up to which size frames are copied, to be written together with others.
	joined = 16 << 10

	// maxPending is how many bytes may wait for whoever is writing. Who comes then waits too.
	maxPending = 128 << 10

	// patience is how many times somebody writes what others have added, before one of them has to take over.
	patience = 16

	// loneliness is after how many writes of one frame alone nobody waits for others before each of them.
	loneliness = 16
)

// outbound is the writing half of a wire. It is safe for concurrent use.
//
// Whoever has a frame while nobody writes does it, and takes along what others add meanwhile: many callers share their
// system calls, and one alone hands nothing to anybody. A frame that is too large to be taken along waits for its turn;
// turns are given in the order in which they were asked for, so that nobody writes, or waits, for as long as others like.
type outbound struct {
	w     io.Writer
	vec   *vector // writes to w as well; nil if it cannot
	label string  // of the text form's blocks; empty for the binary form
	nonce Nonce
	trace *Trace

	mu      sync.Mutex // guards what follows
	free    sync.Cond  // there is room in pending
	next    sync.Cond  // the turn has come of the one who waits longest
	busy    bool       // somebody writes, or was given the turn
	lonely  int        // how many times in a row nobody else had a frame
	turn    bool       // busy has been handed to one who waits
	queue   int        // how many wait for their turn
	tired   bool       // who comes next takes over
	pending []byte     // frames for whoever writes
	spare   []byte     // memory for the next pending
	number  uint32     // of the next frame, in the text form
	err     error      // nothing can be written after it
}

func newOutbound(w io.Writer, o Options) *outbound {
	out := &outbound{w: w, vec: vectorOf(w), trace: o.Trace}
	out.free.L, out.next.L = &out.mu, &out.mu
	return out
}

// Flush waits until all that was given to the wire before has been written.
func (out *outbound) Flush() error {
	out.mu.Lock()
	defer out.mu.Unlock()
	if !out.busy && len(out.pending) == 0 {
		return out.err
	}
	return out.alone(nothing)
}

func nothing() error { return nil }

// frame gives one frame to the wire. If it is small and not for now, the next one takes it along.
func (out *outbound) frame(h *Header, payload [][]byte, now bool) error {
	out.trace.frame(outward, h)
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.label != "" || h.Length() > joined {
		return out.alone(func() error { return out.large(h, payload) })
	}
	for out.err == nil && out.busy && len(out.pending) > maxPending {
		out.free.Wait()
	}
	if out.err != nil {
		return out.err
	}
	out.pending = append(out.pending, h[:]...)
	for _, p := range payload {
		out.pending = append(out.pending, p...)
	}
	switch {
	case !now || out.busy && !out.tired:
		return nil
	case out.busy:
		return out.alone(nothing)
	}
	out.busy = true
	out.gather()
	return out.drain()
}

// gather lets whoever is about to write as well add its frame first. Where there has been nobody for a while, it only tries
// now and then: it may wake a thread. It is called, and returns, with out.mu held.
func (out *outbound) gather() {
	out.lonely++
	if out.lonely > loneliness && out.lonely%loneliness != 0 {
		return
	}
	before := len(out.pending)
	out.mu.Unlock()
	runtime.Gosched()
	out.mu.Lock()
	if len(out.pending) > before {
		out.lonely = 0
	}
}

// alone runs f, which writes, when nobody else does and all frames before it have been written. It is called, and
// returns, with out.mu held; f runs without.
func (out *outbound) alone(f func() error) error {
	if err := out.wait(); err != nil {
		return err
	}
	if err := out.writePending(); err != nil {
		return out.done(err)
	}
	out.mu.Unlock()
	err := f()
	out.mu.Lock()
	if err != nil {
		return out.done(err)
	}
	return out.drain()
}

// wait waits until nobody else writes. It is called, and returns, with out.mu held.
func (out *outbound) wait() error {
	if out.err == nil && out.busy {
		out.queue++
		out.next.Wait() // even if there is a turn now: it is that of somebody who waited longer
		for out.err == nil && !out.turn {
			out.next.Wait()
		}
		out.queue--
	}
	if out.err != nil {
		return out.err
	}
	out.busy, out.turn = true, false
	return nil
}

// drain writes what is pending, until there is nothing or it is somebody else's turn, and ends being busy. It is called
// with out.mu held.
func (out *outbound) drain() error {
	for round := 0; len(out.pending) > 0 && (round == 0 || out.queue == 0); round++ {
		out.tired = round >= patience
		if err := out.writePending(); err != nil {
			return out.done(err)
		}
	}
	return out.done(nil)
}

// writePending writes what is pending now. It is called, and returns, with out.mu held, by whoever is busy.
func (out *outbound) writePending() error {
	if len(out.pending) == 0 {
		return nil
	}
	buf := out.pending
	out.pending, out.spare = out.spare[:0], nil
	if len(buf) > maxPending {
		out.free.Broadcast() // they add to the next one meanwhile
	}
	out.mu.Unlock()
	_, err := out.w.Write(buf)
	out.mu.Lock()
	if cap(buf) <= 2*maxPending {
		out.spare = buf[:0]
	}
	return err
}

// done gives the turn to whoever waits for it. What is pending then is the other's to write.
func (out *outbound) done(err error) error {
	out.tired = false
	if err != nil {
		out.err, out.pending, out.spare = err, nil, nil
		out.busy = false
		out.free.Broadcast()
		out.next.Broadcast()
		return err
	}
	out.busy = out.queue > 0
	out.turn = out.busy
	if out.turn {
		out.next.Signal()
	}
	return nil
}

// large writes a frame uncopied, or as a block of the text form. Only whoever is busy calls it.
func (out *outbound) large(h *Header, payload [][]byte) error {
	if out.label != "" {
		number := binary.BigEndian.AppendUint32(nil, out.number)
		out.number++
		return armour.Write(out.w, out.label, out.nonce, append([][]byte{number, h[:]}, payload...)...)
	}
	if out.vec != nil {
		return out.vec.write(h[:], payload)
	}
	head, rest := h[:], payload
	if len(payload) > 0 && len(payload[0]) <= joined { // such as a table of segments
		head, rest = append(bytes.Clone(head), payload[0]...), payload[1:]
	}
	if _, err := out.w.Write(head); err != nil {
		return err
	}
	for _, p := range rest {
		if len(p) > 0 {
			if _, err := out.w.Write(p); err != nil {
				return err
			}
		}
	}
	return nil
}
