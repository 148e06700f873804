package worker

import "github.com/seed354a1416/deliveryboy/box"

// A failures remembers the calls that failed lately: one of a row may come when the one before it is over.
type failures struct {
	replies map[uint32]*box.Reply
	order   []uint32
}

// maxFailures is how many are remembered. The calls of a row follow each other at once.
const maxFailures = 256

func (f *failures) add(id uint32, r *box.Reply) {
	if f.replies == nil {
		f.replies = map[uint32]*box.Reply{}
	}
	if len(f.order) >= maxFailures {
		delete(f.replies, f.order[0])
		f.order = f.order[1:]
	}
	f.replies[id] = &box.Reply{Fault: r.Fault, Refusal: r.Refusal, Run: r.Run}
	f.order = append(f.order, id)
}

func (f *failures) of(id uint32) *box.Reply { return f.replies[id] }
