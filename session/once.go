package session

import (
	"context"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// Once starts a worker for one call and returns the reply when it has ended. The worker is narrowed to the function,
// unless o.Only says otherwise; the fields of o that are about many calls are not used.
//
// If the function ends its worker, by os.Exit, a crash or a signal, the reply says so. When ctx is done, the function's
// context ends too; if the function then does not return within the grace, the worker ends itself and everything that it
// started. The error is a *box.DeliveryError.
//
// A reader among the results keeps the worker alive until it is closed, or read to its end.
func Once(ctx context.Context, o Options, b *box.Box) (*box.Reply, error) {
	names := o.Only
	if len(names) == 0 {
		names = []string{b.Func}
		if b.Starts != "" {
			names = append(names, b.Starts)
		}
	}
	l, err := connect(ctx, &o, names, false, b.Func)
	if err != nil {
		return nil, err
	}
	mine := *b
	if deadline, ok := ctx.Deadline(); ok { // the handshake has taken some of the time
		mine.Timeout = max(time.Until(deadline), 1)
	}
	c := l.register()
	if c == nil { // the worker has ended meanwhile
		l.end()
		return nil, l.refused(b.Func)
	}
	r, err := l.deliver(ctx, c, &mine)
	if err == nil && l.linger(r) {
		return r, nil
	}
	l.end()
	if err != nil {
		return nil, err
	}
	l.addExcess(r)
	return r, nil
}

// end waits for the end of a worker that has done its work, and asks for it ever more firmly.
func (l *link) end() {
	l.finish(l.options.grace() + politely)
	l.join()
	if !l.options.KeepExcess {
		return
	}
	if len(l.excess.suffix.Kept) > 0 {
		_, _ = l.excess.live.Write(l.excess.suffix.Kept)
	}
	if l.ending.gone && len(l.process.said.Kept) > 0 {
		_, _ = l.output.err.Write(l.process.said.Kept)
	}
}

// addExcess adds to the reply what came around it. The link is over.
func (l *link) addExcess(r *box.Reply) {
	r.Excess = l.excess.sum()
	if l.ending.gone {
		r.Excess.Stderr = l.process.said.Kept
		r.Excess.Dropped += l.process.said.Dropped
	}
}
