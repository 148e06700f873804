package channel

import (
	"fmt"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// Replies are those to the calls of a wire. The zero value is for the one call of a worker that is not of a session.
type Replies struct {
	Session bool  // definitions of types travel once
	Max     int64 // the longest message that the caller takes, in bytes; 0: wire.DefaultMessage

	types box.TypesOut
}

// Pack returns a reply as the segments of its message, and what is to be called when they have been written. In place of one
// that cannot be packed, or is longer than the caller takes, there is a refusal that says so.
func (r *Replies) Pack(reply *box.Reply) (segments [][]byte, sent func(), err error) {
	segments, sent, err = r.segments(reply)
	if err == nil {
		err = r.fits(segments)
	}
	if err != nil {
		segments, sent, err = r.segments(&box.Reply{Refusal: box.RefusalOf(err, true), Run: reply.Run, Dropped: reply.Dropped})
	}
	if sent == nil {
		sent = func() {}
	}
	return segments, sent, err
}

func (r *Replies) segments(reply *box.Reply) (segments [][]byte, sent func(), err error) {
	if r.Session {
		return r.types.ReplySegmentsFor(reply)
	}
	segments, err = reply.Segments()
	return segments, nil, err
}

// fits refuses a reply that is longer than the caller takes.
func (r *Replies) fits(segments [][]byte) error {
	limit, size := r.Max, SizeOf(segments)
	if limit <= 0 {
		limit = wire.DefaultMessage
	}
	if size > limit {
		return &box.EncodingError{What: "reply", Why: fmt.Sprintf("it has %d bytes, more than the %d that the caller takes", size, limit)}
	}
	return nil
}

// SizeOf is how many bytes the segments of a message have.
func SizeOf(segments [][]byte) (n int64) {
	for _, s := range segments {
		n += int64(len(s))
	}
	return n
}
