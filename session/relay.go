package session

import (
	"context"
	"os"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/internal/askpass"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A relay lets a hop behind ssh ask this process. It is a copy of this program on the host where that hop starts, and runs
// for as long as the hop may ask.
type relay struct {
	process *process
	work    sync.WaitGroup
}

// relay starts a relay for hop i.
func (a *asker) relay(ctx context.Context, i int) error {
	o := *a.options
	o.Via = transport.Chain(a.hops[:i])
	l := &link{options: &o, via: o.Via.String(), asker: a} // what is known of a way that leads to no worker
	program := o.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return err
		}
	}
	var err error
	if l.argv, err = transport.Build(a.via(&o), []string{program, askpass.Verb}); err != nil {
		return &box.TransportError{Hop: l.via, Argv: []string{program, askpass.Verb}, ExitCode: -1, Err: err}
	}
	if l.process, err = a.start(ctx, o.Via, l.argv); err != nil {
		return &box.TransportError{Hop: l.via, Argv: l.argv, ExitCode: -1, Err: err}
	}
	patience := newPatience(o.patience(), a, l.process.interrupt)
	stop := context.AfterFunc(ctx, l.process.interrupt)
	far, err := askpass.Reach(l.process.stdout, l.process.stdin)
	if late := patience.stop(); err == nil && stop() && !late {
		r := &relay{process: l.process}
		r.work.Go(func() { _ = far.Serve(ctx, a.answerer(i)) }) // how it ended shows in what asks there
		a.relays, a.helpers[i] = append(a.relays, r), far.Helper
		return nil
	}
	stop()
	return l.noAnswer(ctx, patience, err)
}

func (r *relay) end() {
	r.process.end(politely, 0)
	r.work.Wait()
}
