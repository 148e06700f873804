package delivery

import (
	"io"
	"os"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
)

func (o Once) stdout(wanted bool) io.Writer {
	switch {
	case !wanted:
		return io.Discard
	case o.Stdout == nil:
		return os.Stdout
	}
	return o.Stdout
}

func (o Once) stderr() io.Writer {
	if o.Stderr == nil {
		return os.Stderr
	}
	return o.Stderr
}

// A sink is a writer of the caller's that gets no more once it failed: a full disk there must not stop the function.
type sink struct {
	w      io.Writer
	failed bool
}

func (s *sink) write(p []byte) {
	if s.failed {
		return
	}
	_, err := s.w.Write(p)
	s.failed = err != nil
}

// excess takes in what the transport prints on stdout around the protocol.
type excess struct {
	prefix, suffix channel.Excess
	after          bool      // the reply was there
	live           io.Writer // gets it as it comes
}

func (e *excess) Write(p []byte) (int, error) {
	_, _ = e.live.Write(p)
	if e.after {
		return e.suffix.Write(p)
	}
	return e.prefix.Write(p)
}

func (e *excess) sum() box.Excess {
	return box.Excess{Prefix: e.prefix.Kept, Suffix: e.suffix.Kept, Dropped: e.prefix.Dropped + e.suffix.Dropped}
}
