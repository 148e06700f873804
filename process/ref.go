package process

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"
)

// A Ref stands for a process, as an argument: a registered function that runs in the same worker as the process gets hold of
// it with [Ref.Process].
//
//	p, err := process.On(session).Start(ctx, cfg)
//	err = tune.On(session)(ctx, p.Ref()) // func tune(ctx context.Context, r process.Ref) error
type Ref struct {
	ID  string // what the worker knows it by
	PID int
}

// refs are the processes of this one that a Ref was made of.
var refs sync.Map // of string to *Process

// Ref makes a Ref of a process that runs. Its worker is this process, or the one that its courier's session has: behind a
// courier that starts a worker for each call, nobody else can get hold of it.
func (p *Process) Ref() Ref {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r, ok := p.body.(*remote); ok {
		return Ref{r.began.Ref, r.began.PID}
	}
	if p.body == nil {
		return Ref{}
	}
	if p.ref == "" {
		p.ref = rand.Text()
		if !p.over {
			refs.Store(p.ref, p)
		}
	}
	return Ref{p.ref, p.body.pid()}
}

// Process is the process that a Ref stands for, if it runs in this very process's keeping and has not ended.
func (r Ref) Process() (*Process, error) {
	if p, ok := refs.Load(r.ID); ok {
		return p.(*Process), nil
	}
	return nil, fmt.Errorf("process %d: it has ended, or is not one of this worker's: %w", r.PID, ErrDone)
}

// forget ends what stands for a process that has ended.
func (p *Process) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.ref != "" {
		refs.Delete(p.ref)
	}
}

// created is when the process was started, by the clock of its machine.
func (p *Process) created() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch b := p.body.(type) {
	case *local:
		return b.started
	case *remote:
		return b.began.Started
	}
	return time.Time{}
}
