package pool

import (
	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
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
	segments, sent, err := r.replies.Pack(reply)
	if err != nil {
		return
	}
	n := channel.SizeOf(segments)
	r.debt.add(n)
	defer r.debt.add(-n)
	if r.wire.WriteMessage(wire.Reply, id, segments) == nil {
		sent()
	}
}
