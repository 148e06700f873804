package session

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/internal/askpass"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A relay lets a hop behind another one ask this process. It is a copy of this program where that hop starts, as the user
// that it starts as, and runs for as long as the hop may ask.
type relay struct {
	process *process
	work    sync.WaitGroup
}

// relay starts a relay for hop i, which serves until the asker stops. The program is brought there if the worker's is.
func (a *asker) relay(ctx, serving context.Context, i int) error {
	o := *a.options
	o.Via = transport.Chain(a.hops[:i])
	l := &link{options: &o, via: o.Via.String(), asker: a} // what is known of a way that leads to no worker
	l.excess.live = io.Discard
	argv, err := l.planRelay()
	if err != nil {
		return err
	}
	if l.argv, err = transport.Build(a.via(&o), argv); err != nil {
		return &box.TransportError{Hop: l.via, Argv: l.worker, ExitCode: -1, Err: err}
	}
	started := l.argv
	l.argv = l.shown(started)
	if l.process, err = a.start(ctx, o.Via, started); err != nil {
		return &box.TransportError{Hop: l.via, Argv: l.argv, ExitCode: -1, Err: err}
	}
	patience := newPatience(o.patience(), a, l.process.interrupt)
	stop := context.AfterFunc(ctx, l.process.interrupt)
	var far *askpass.Far
	if err = l.bring(patience); err == nil {
		far, err = askpass.Reach(l.process.stdout, l.process.stdin)
	}
	if late := patience.stop(); err == nil && stop() && !late {
		r := &relay{process: l.process}
		r.work.Go(func() { _ = far.Serve(serving, a.answerer(i)) }) // how it ended shows in what asks there
		a.relays = append(a.relays, r)
		a.helpers[i] = a.helper(i, far.Helper)
		return nil
	}
	stop()
	return l.noAnswer(ctx, patience, err)
}

// planRelay returns what becomes the relay.
func (l *link) planRelay() (argv []string, err error) {
	if !l.options.Deploy.On {
		program := l.options.Program
		if program == "" {
			if program, err = os.Executable(); err != nil {
				return nil, err
			}
		}
		l.worker = []string{program, askpass.Verb}
		return l.worker, nil
	}
	if l.deploy, err = deploy.Prepare(l.options.Deploy); err != nil {
		return nil, err
	}
	l.worker = l.deploy.ShownOf(askpass.Verb)
	return l.deploy.ArgvOf(askpass.Verb), nil
}

// helper is the program that lets hop i ask, on its machine: one of a desk there, or beside it.
func (a *asker) helper(i int, desk string) string {
	if transport.AsksAtTerminal(a.hops[i]) {
		return askpass.Terminal(desk)
	}
	return desk
}

// next returns the asker for another attempt, after one that failed with err: a hop behind another user's needs a password,
// which shows only now. It is nil if there is nothing more to try; the error is then what the caller is told.
func (a *asker) next(ctx context.Context, err error) (*asker, error) {
	e, ok := err.(*box.TransportError) //nolint:errorlint // one that was made right before
	if a == nil || !ok || ctx.Err() != nil || !strings.HasPrefix(e.Reason, transport.ReasonPassword) {
		return nil, err
	}
	a.mu.Lock()
	failed := a.failed
	a.mu.Unlock()
	hop := a.silent()
	if failed >= 0 || hop < 0 {
		return nil, err
	}
	a.close()
	n, refused := newAsker(ctx, a.options, a, hop)
	if refused == nil {
		return n, nil
	}
	n.close()
	var why *box.TransportError
	if errors.As(refused, &why) && strings.HasPrefix(why.Reason, transport.ReasonNotAllowed) {
		e.Reason += "; " + a.hops[hop].String() + " cannot ask for one behind " + a.hops[hop-1].String() +
			", where it is not allowed to start " + strings.Join(why.Argv[max(len(why.Argv)-2, 0):], " ")
		return nil, e
	}
	return nil, refused
}

// silent is the first hop that can ask and was not let; -1 if there is none.
func (a *asker) silent() int {
	for i, hop := range a.hops {
		if i > 0 && transport.CanAsk(hop) && a.helpers[i] == "" {
			return i
		}
	}
	return -1
}

func (r *relay) end() {
	r.process.end(politely, 0)
	r.work.Wait()
}
