package session

import (
	"context"
	"fmt"
	"reflect"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// A Pipeline is a row of calls that go in one round trip. They run one after the other; when one fails, those behind it do
// not run, and fail with its error.
//
//	p := web.Pipeline()
//	unpacked := session.Queue(p, ctx, unpack, archive)
//	version := session.Queue(p, ctx, install, "nginx")
//	if err := p.Run(ctx); err != nil {
//		return err
//	}
//	v, err := version.Result()
//
// It is for one goroutine, and for one use.
type Pipeline struct {
	session *Session
	calls   []*PendingAny
	ran     bool
}

// PendingAny is a call in a pipeline, without the types of its function.
type PendingAny struct {
	entry   *registry.Entry
	box     *box.Box
	results []reflect.Value
	err     error
	done    bool
}

// Pending is a call in a pipeline.
type Pending[R any] struct{ *PendingAny }

// Pipeline returns an empty row of calls.
func (s *Session) Pipeline() *Pipeline { return &Pipeline{session: s} }

// Queue adds a call to a pipeline. The deadline and the trace of ctx travel with it.
func Queue[A, R any](p *Pipeline, ctx context.Context, fn registry.Func[func(context.Context, A) (R, error)], arg A) *Pending[R] { //nolint:revive // the pipeline is the receiver
	return &Pending[R]{p.add(ctx, fn.Entry(), []reflect.Value{reflect.ValueOf(&arg).Elem()})}
}

// Add adds a call of any function to the pipeline; args are without a leading context. The deadline and the trace of ctx
// travel with it.
func (p *Pipeline) Add(ctx context.Context, e *registry.Entry, args ...any) *PendingAny {
	in, err := e.Arguments(args)
	if err != nil {
		return p.append(&PendingAny{entry: e, err: err})
	}
	return p.add(ctx, e, in)
}

func (p *Pipeline) add(ctx context.Context, e *registry.Entry, args []reflect.Value) *PendingAny {
	b, err := e.Pack(ctx, args)
	return p.append(&PendingAny{entry: e, box: b, err: err})
}

func (p *Pipeline) append(c *PendingAny) *PendingAny {
	p.calls = append(p.calls, c)
	return c
}

// Run delivers the calls and waits for all of them. The error is that of the first one that failed; no call is sent if
// one of them cannot be packed.
func (p *Pipeline) Run(ctx context.Context) error {
	if p.ran {
		return fmt.Errorf("session: a pipeline runs once: make another one")
	}
	p.ran = true
	boxes := make([]*box.Box, len(p.calls))
	for i, c := range p.calls {
		if c.err != nil {
			return p.fail(0, box.NewDeliveryError(box.DeliveryError{Op: "pack", Func: c.entry.Name(), Err: c.err}))
		}
		boxes[i] = c.box
	}
	replies, errs := p.session.deliverRow(ctx, boxes)
	for i, c := range p.calls {
		err := errs[i]
		if err == nil {
			c.results, err = c.entry.Unpack(replies[i])
		}
		if c.done = true; err != nil {
			return p.fail(i, err)
		}
	}
	return nil
}

// deliverRow delivers boxes of which each waits for the one before it.
func (s *Session) deliverRow(ctx context.Context, boxes []*box.Box) ([]*box.Reply, []error) {
	replies, errs := make([]*box.Reply, len(boxes)), make([]error, len(boxes))
	fail := func(err error) ([]*box.Reply, []error) {
		for i := range errs {
			errs[i] = err
		}
		return replies, errs
	}
	for len(boxes) > 0 {
		l := s.current.Load()
		calls := l.registerRow(len(boxes))
		if calls == nil {
			for _, b := range boxes { // it dials again if all of them may be repeated
				if err := s.again(ctx, l, b.Func); err != nil {
					return fail(err)
				}
			}
			continue
		}
		var after uint32
		for i, c := range calls {
			b := *boxes[i]
			b.After, after = after, c.id
			boxes[i], errs[i] = &b, l.begin(ctx, c, &b)
		}
		for i, c := range calls {
			if errs[i] == nil {
				replies[i], errs[i] = l.conclude(ctx, c, boxes[i])
			}
		}
		break
	}
	return replies, errs
}

// registerRow returns n calls; none if the link takes no more.
func (l *link) registerRow(n int) []*call {
	calls := make([]*call, n)
	for i := range calls {
		if calls[i] = l.register(); calls[i] == nil {
			for _, c := range calls[:i] {
				l.withdraw(c)
			}
			return nil
		}
	}
	return calls
}

// fail gives the calls from the i-th on the error.
func (p *Pipeline) fail(i int, err error) error {
	for _, c := range p.calls[i:] {
		c.err, c.done = err, true
	}
	return err
}

// Results are what the function returned, without a trailing error, and the error: its own, that of the delivery, or that
// of the call before it that failed.
func (c *PendingAny) Results() ([]any, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	out := make([]any, len(c.results))
	for i, v := range c.results {
		out[i] = v.Interface()
	}
	return out, nil
}

// Result is what the function returned.
func (c *Pending[R]) Result() (R, error) {
	var zero R
	if err := c.ready(); err != nil {
		return zero, err
	}
	reflect.ValueOf(&zero).Elem().Set(c.results[0])
	return zero, nil
}

func (c *PendingAny) ready() error {
	if !c.done && c.err == nil {
		return fmt.Errorf("session: %s: its pipeline has not run", c.entry.Name())
	}
	return c.err
}
