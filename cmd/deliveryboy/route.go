package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/target"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
	passage "github.com/seed354a1416/deliveryboy/session/hop"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A route is what via=NAME leads through, the outermost target first: each has a session, which is the first hop of the next.
type route []stop

// A stop is a target on the way.
type stop struct {
	name string
	spec transport.Spec
}

// routed takes a spec apart into the way and what is behind it.
func (f *specFlag) routed(text string, targets target.Targets) error {
	if err := target.CheckSpec(text); err != nil && strings.HasPrefix(text, target.Via) {
		return err
	}
	var way route
	for at := text; ; {
		name, behind, found := target.CutVia(at)
		own := specFlag{}
		if err := own.parse(behind); err != nil {
			return err
		}
		if len(way) == 0 {
			f.spec, f.name = own.spec, ""
		} else {
			way[len(way)-1].spec = own.spec
		}
		if !found {
			slices.Reverse(way)
			f.way = way
			return nil
		}
		spec, known := targets[name]
		if !known {
			return noTarget(name, targets)
		}
		way, at = append(way, stop{name: name}), spec // the file has no circles
	}
}

// whole is the spec with what it leads through.
func (f *specFlag) whole() string {
	if len(f.way) == 0 {
		return f.spec.String()
	}
	return target.Via + f.way[len(f.way)-1].name + "//" + f.spec.String()
}

// stopsWith says how targets on the way are opened.
func stopsWith(d deployFlag, a askFlag) func(stop) (session.Options, error) {
	return func(at stop) (session.Options, error) {
		o := delivery.SessionFor(at.spec)
		var err error
		o.Deploy, err = d.options(at.spec)
		o.Ask = a.provider()
		return o, err
	}
}

// through has the first hop of a spec be the session of the last target on the way, all of which are opened with what options
// says. It returns how to close them, in any case.
func (r route) through(ctx context.Context, via transport.Transport, options func(stop) (session.Options, error)) (transport.Transport, func() error, error) {
	var open []*session.Session
	closeAll := func() error {
		var errs []error
		for _, s := range slices.Backward(open) {
			errs = append(errs, s.Close())
		}
		return errors.Join(errs...)
	}
	for _, stop := range r {
		o, err := options(stop)
		if err != nil {
			return nil, closeAll, err
		}
		o.Only = []string{passage.Name}
		s, err := delivery.Open(ctx, behind(open, o.Via), o)
		if err != nil {
			return nil, closeAll, err
		}
		open = append(open, s)
	}
	return behind(open, via), closeAll, nil
}

// behind is a transport behind the last session.
func behind(open []*session.Session, via transport.Transport) transport.Transport {
	if len(open) == 0 {
		return via
	}
	return append(transport.Chain{passage.Through(open[len(open)-1])}, transport.Hops(via)...)
}

func (r route) specs() (all []transport.Spec) {
	for _, stop := range r {
		all = append(all, stop.spec)
	}
	return all
}

// explain is what each hop on the way runs, and the worker at each target.
func (r route) explain(shown func(transport.Transport) transport.Transport) ([]hop, error) {
	var all []hop
	for _, stop := range r {
		worker := stop.spec.Binary
		if worker == "" {
			var err error
			if worker, err = program(); err != nil {
				return nil, err
			}
		}
		hops, err := hopsOf(shown(stop.spec.Via), delivery.WorkerArgv(worker, passage.Name))
		if err != nil {
			return nil, err
		}
		for _, h := range hops {
			h.Hop = target.Via + stop.name + ": " + h.Hop
			all = append(all, h)
		}
	}
	return all, nil
}
