package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
)

// maxOrders is how many orders are obeyed at once.
const maxOrders = 64

// A caller is who a process is run for.
type caller struct {
	ctx     context.Context
	reports chan<- report
}

// tell reports; what is told after the end of the call is lost.
func (c *caller) tell(r report) error {
	select {
	case c.reports <- r:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// run is the far end of On: it runs one process, up to its end or to that of the call, whichever comes first.
func run(ctx context.Context, t task, stdin io.Reader, stdout, stderr io.Writer, orders <-chan order, reports chan<- report) (State, error) {
	c := &caller{ctx, reports}
	none := State{Code: -1}
	switch t.Ask {
	case "":
	case askPath:
		if len(t.Config.Argv) != 1 {
			return none, t.Config.wrong("argv", "one name is looked for")
		}
		path, err := exec.LookPath(t.Config.Argv[0])
		if err != nil {
			return none, err
		}
		return none, c.tell(report{Path: path})
	case askEnviron:
		return none, c.tell(report{Env: os.Environ()})
	default:
		return none, fmt.Errorf("process: %s can be asked for no %q", FunctionName, t.Ask)
	}
	p, err := c.prepare(t, Stdio{Stdin: stdin, Stdout: stdout, Stderr: stderr})
	if err != nil {
		return none, err
	}
	if err := p.Start(ctx); err != nil {
		return none, err
	}
	defer p.stopped.Wait()
	if err := c.tell(report{PID: p.PID(), Path: p.Path(), Ref: p.Ref().ID, Started: p.created()}); err == nil {
		c.obey(p, orders)
	}
	err = ctx.Err()
	if err != nil {
		_ = p.Kill(context.WithoutCancel(ctx)) // if it has not ended
	}
	<-p.Done()
	if err == nil {
		err = p.err
	}
	return p.state, err
}

func (c *caller) prepare(t task, s Stdio) (*Process, error) {
	if t.Config.Detach {
		return nil, t.Config.wrong("detach", errDetach)
	}
	if len(t.Config.Outputs) > 0 {
		return nil, t.Config.wrong("outputs", "they are the caller's")
	}
	if t.Merge {
		s.Stderr = s.Stdout
	}
	p, err := New(t.Config, s)
	if err != nil {
		return nil, err
	}
	p.far = true
	p.outward = func(label string) io.Writer { return &reporter{c, label} }
	return p, nil
}

const errDetach = "nothing outlives its call: what is to do so is a job"

// obey does what it is told while the process runs and the call does.
func (c *caller) obey(p *Process, orders <-chan order) {
	var work sync.WaitGroup
	turns := make(chan struct{}, maxOrders)
	defer func() {
		if c.ctx.Err() != nil { // writes would wait for a process that reads nothing
			_ = p.Kill(context.WithoutCancel(c.ctx))
		}
		work.Wait()
	}()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-p.Done():
			return
		case turns <- struct{}{}:
		}
		select {
		case o, ok := <-orders:
			if !ok {
				orders = nil
				<-turns
				continue
			}
			work.Go(func() {
				defer func() { <-turns }()
				_ = c.tell(c.do(p, o))
			})
		case <-c.ctx.Done():
			return
		case <-p.Done():
			return
		}
	}
}

// do does one thing.
func (c *caller) do(p *Process, o order) report {
	r := report{ID: o.ID}
	b, err := p.alive()
	if err == nil {
		switch o.Do {
		case orderSignal:
			sig, serr := ParseSignal(o.Signal)
			if err = serr; err == nil {
				err = b.signal(c.ctx, sig)
			}
		case orderTerminate:
			err = b.terminate(c.ctx, max(o.Grace, 0))
		case orderKill:
			err = b.kill(c.ctx)
		case orderStats:
			var s Stats
			if s, err = b.stats(c.ctx); err == nil {
				r.Stats = &s
			}
		case orderWrite:
			if len(o.Data) > maxData {
				err = fmt.Errorf("process: an order brings %d bytes: at most %d", len(o.Data), maxData)
				break
			}
			r.Done, err = b.write(o.Label, o.Data)
		case orderClose:
			err = b.closeWrite(o.Label)
		case orderMute:
			err = b.mute(o.Label)
		default:
			err = fmt.Errorf("process: there is no order %q", o.Do)
		}
	}
	if err != nil {
		r.Fault = box.EncodeFault(box.FaultOf(err))
	}
	return r
}

// A reporter tells the caller what a stream brings, and waits for the caller to have it.
type reporter struct {
	c     *caller
	label string
}

func (w *reporter) Write(data []byte) (n int, err error) {
	for len(data) > 0 {
		part := data[:min(len(data), maxData)]
		if err := w.c.tell(report{Label: w.label, Data: append([]byte(nil), part...)}); err != nil {
			return n, err
		}
		n, data = n+len(part), data[len(part):]
	}
	return n, nil
}
