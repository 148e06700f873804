package session

import (
	"context"
	"errors"
	"io"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// connect starts a worker and brings it up to where it waits for calls. The function is the one that it is started for,
// if there is one. All errors are *box.DeliveryError; nothing is left then.
func connect(ctx context.Context, o *Options, names []string, warm bool, function string) (*link, error) {
	l := &link{
		options: o, warm: warm, oom: watchOOM(), output: newOutput(o),
		read: make(chan struct{}), over: make(chan struct{}), calls: map[uint32]*call{},
	}
	if o.Via != nil {
		l.via = o.Via.String()
	}
	if op, err := l.dial(ctx, names); err != nil {
		if p, ok := err.(*box.PackingError); ok && p.Func == "" {
			p.Func = function
		}
		return nil, l.failed(function, op, box.NotStarted, err)
	}
	l.mux = channel.New(l.wire, channel.Options{Side: wire.Caller, Handler: l, Heartbeat: o.heartbeat()})
	l.work.Go(l.live)
	l.work.Go(l.watch)
	if l.process.socket && l.hello.Descriptors && registry.PassesFiles() {
		l.work.Go(l.takeDescriptors)
	}
	return l, nil
}

// takeDescriptors takes in the open files that the worker sends, which come the way back on its stdin. It holds a thread,
// because that blocks: only a program with such functions needs it.
func (l *link) takeDescriptors() {
	socket, err := wire.NewSocket(l.process.stdin)
	if err != nil {
		return // released already
	}
	defer socket.Close()
	lane := wire.NewBinary(socket, io.Discard, wire.Options{Descriptors: socket, Trace: l.trace})
	if err := l.mux.RunLane(lane); errors.Is(err, wire.ErrProtocol) {
		l.mux.Shut(err)
	}
}

// dial goes from the options to the hello. With an error it says which step failed.
func (l *link) dial(ctx context.Context, names []string) (op string, err error) {
	o := l.options
	if o.Via == nil {
		return "start", &box.PackingError{Why: needsVia}
	}
	if !registry.Sealed() {
		return "start", &box.PackingError{Why: "delivery.Main was not called: make it the first line of main, or the copy of this program would run main instead of the function"}
	}
	if err := o.check(); err != nil {
		return "pack", &box.PackingError{Why: "bad courier", Err: err}
	}
	if l.trace, err = wire.TraceFromEnvironment(); err != nil {
		return "pack", &box.PackingError{Why: "bad environment", Err: err}
	}
	argv, err := l.plan(names)
	if err != nil {
		return "pack", &box.PackingError{Why: "bad call", Err: err}
	}
	l.excess.live = io.Discard
	if o.KeepExcess {
		l.excess.live = l.output.out
	}
	if o.Ask != nil {
		l.asker, err = newAsker(ctx, o, nil, 0)
		defer func() { l.asker.close() }()
		if err != nil {
			return "start", err
		}
	}
	for {
		if op, err = l.knock(ctx, argv); err == nil {
			return op, nil
		}
		again, err := l.asker.next(ctx, err)
		if err != nil {
			return op, err
		}
		l.asker = again
	}
}

// knock starts the transport and brings the worker up to where it waits for a box.
func (l *link) knock(ctx context.Context, argv []string) (op string, err error) {
	if argv, err = transport.Build(l.asker.via(l.options), argv); err != nil {
		return "start", &box.TransportError{Hop: l.via, Argv: l.worker, ExitCode: -1, Err: err}
	}
	l.argv = l.shown(argv)
	if l.process, err = l.asker.start(ctx, l.options.Via, argv); err != nil {
		return "start", &box.TransportError{Hop: l.via, Argv: l.argv, ExitCode: -1, Err: err}
	}
	return "handshake", l.shakeHands(ctx)
}
