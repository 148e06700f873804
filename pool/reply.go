package pool

import (
	"fmt"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// refuse answers a call that cannot be opened.
func (r *relay) refuse(id uint32, err error) {
	r.later(id, &box.Reply{Refusal: box.RefusalOf(err, false)})
}

// later sends a reply to a call that is not run.
func (r *relay) later(id uint32, reply *box.Reply) {
	r.soon(func() {
		r.answer(id, reply)
		if !r.preamble.Session {
			r.close()
		}
	})
}

// answer sends a reply.
func (r *relay) answer(id uint32, reply *box.Reply) {
	segments, sent, err := r.segments(reply)
	if err == nil {
		err = r.fits(segments)
	}
	if err != nil {
		reply = &box.Reply{Refusal: box.RefusalOf(err, true), Run: reply.Run, Dropped: reply.Dropped}
		if segments, sent, err = r.segments(reply); err != nil {
			return
		}
	}
	n := sizeOf(segments)
	r.debt.add(n)
	defer r.debt.add(-n)
	if r.wire.WriteMessage(wire.Reply, id, segments) == nil && sent != nil {
		sent()
	}
}

func (r *relay) segments(reply *box.Reply) (segs [][]byte, sent func(), err error) {
	if r.preamble.Session {
		return r.outs.ReplySegmentsFor(reply)
	}
	segs, err = reply.Segments()
	return segs, nil, err
}

// fits refuses a reply that is longer than the client takes.
func (r *relay) fits(segments [][]byte) error {
	limit, size := r.preamble.MaxMessage, sizeOf(segments)
	if limit <= 0 {
		limit = wire.DefaultMessage
	}
	if size > limit {
		return &box.EncodingError{What: "reply", Why: fmt.Sprintf("it has %d bytes, more than the %d that the caller takes", size, limit)}
	}
	return nil
}

func sizeOf(segments [][]byte) (n int64) {
	for _, seg := range segments {
		n += int64(len(seg))
	}
	return n
}
