package process

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/seed354a1416/deliveryboy/registry"
)

// A remote is the body of a process elsewhere: one call of the far function.
type remote struct {
	p      *Process
	orders chan order
	cancel context.CancelFunc // ends the call
	over   chan struct{}      // closed when the call has ended
	quiet  chan struct{}      // closed when, besides, all that came of it was heard
	first  chan report        // says that the process runs
	told   chan struct{}      // closed when listeners know that

	began report // final when told is closed
	state State  // final when over is closed
	err   error  // final when over is closed

	mu      sync.Mutex // guards what follows
	last    uint64
	pending map[uint64]chan report
	inErr   error                  // of this side's reader
	outErr  error                  // of this side's writers: the first one
	locks   map[string]*sync.Mutex // one writer at a time, by label
}

// startFar starts a process elsewhere.
func startFar(ctx context.Context, p *Process) error {
	f, err := farFunction()
	if err != nil {
		return err
	}
	callCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &remote{
		p: p, orders: make(chan order), cancel: cancel, over: make(chan struct{}), quiet: make(chan struct{}),
		first: make(chan report, 1), told: make(chan struct{}),
		pending: map[uint64]chan report{}, locks: map[string]*sync.Mutex{},
	}
	t, s, err := r.task()
	if err != nil {
		cancel()
		return err
	}
	reports := make(chan report)
	p.stopped.Go(func() { r.call(callCtx, f, t, s, reports) })
	heard := make(chan struct{})
	p.stopped.Go(func() {
		defer close(heard)
		r.listen(reports)
	})
	p.stopped.Go(func() {
		<-r.over
		cancel()
		<-heard
		close(r.quiet)
	})
	select {
	case <-r.quiet: // it may have begun all the same
	case r.began = <-r.first:
		r.runs()
		return nil
	case <-ctx.Done():
		cancel()
		<-r.quiet
		return ctx.Err()
	}
	select {
	case r.began = <-r.first:
		r.runs()
		return nil
	default:
	}
	if r.err == nil {
		return errors.New("process: the far side did not say that it started one")
	}
	return r.err
}

// runs is called when it is known that the process runs, or did.
func (r *remote) runs() {
	r.p.runs(r)
	close(r.told)
	r.p.stopped.Go(func() {
		<-r.quiet
		r.p.finish(r.state, r.err)
	})
}

// task is what the far side is told, and the streams that stay here.
func (r *remote) task() (task, Stdio, error) {
	p := r.p
	t, s := task{Config: p.cfg}, p.stdio
	switch {
	case p.cfg.Detach:
		return t, s, p.cfg.wrong("detach", errDetach)
	case len(s.Files) > 0:
		return t, s, p.cfg.wrong("files", "open files pass to processes of this machine alone: name streams instead")
	}
	t.Config.Outputs = nil
	if labels := p.cfg.Outputs; len(labels) > 0 {
		s.Stdout = &late{r, p.sink(labels[0])}
		if len(labels) > 1 && labels[1] == labels[0] {
			s.Stderr = s.Stdout
		} else if len(labels) > 1 {
			s.Stderr = &late{r, p.sink(labels[1])}
		}
	}
	if s.Stdout != nil && s.Stderr != nil && same(s.Stdout, s.Stderr) {
		t.Merge, s.Stderr = true, nil
	}
	if s.Stdin != nil {
		s.Stdin = &kept{r: r, from: s.Stdin}
	}
	if s.Stdout != nil {
		s.Stdout = &kept{r: r, to: s.Stdout, name: stdoutName}
	}
	if s.Stderr != nil {
		s.Stderr = &kept{r: r, to: s.Stderr, name: stderrName}
	}
	return t, s, nil
}

// call is the life of the process.
func (r *remote) call(ctx context.Context, f *registry.Func[function], t task, s Stdio, reports chan<- report) {
	defer close(r.over)
	defer func() { // a courier may panic with what the far function panicked with
		if why := recover(); why != nil {
			err, ok := why.(error)
			if !ok {
				panic(why)
			}
			r.err = err
		}
	}()
	r.state, r.err = f.On(r.p.host.courier)(ctx, t, s.Stdin, s.Stdout, s.Stderr, r.orders, reports)
	if r.state.PID == 0 { // there are no results
		r.state.Code = -1
	}
	r.keepErrors()
}

// listen takes in what the far side reports until the call is over.
func (r *remote) listen(reports <-chan report) {
	for {
		select {
		case rep := <-reports:
			r.hear(rep)
		case <-r.over:
			for { // what came before the end
				select {
				case rep := <-reports:
					r.hear(rep)
				default:
					return
				}
			}
		}
	}
}

func (r *remote) hear(rep report) {
	switch {
	case rep.ID != 0:
		r.mu.Lock()
		answer := r.pending[rep.ID]
		delete(r.pending, rep.ID)
		r.mu.Unlock()
		if answer != nil {
			answer <- rep
		}
	case rep.Label != "":
		if r.p.cfg.hasLabel(rep.Label) {
			_, _ = (&late{r, r.p.sink(rep.Label)}).Write(rep.Data)
		}
	default:
		select {
		case r.first <- rep:
		default: // there is only one first
		}
	}
}

// late writes when listeners know that the process runs, which comes on another stream.
type late struct {
	r *remote
	w io.Writer
}

func (l *late) Write(data []byte) (int, error) {
	select {
	case <-l.r.told:
	case <-l.r.over:
	}
	return l.w.Write(data)
}
