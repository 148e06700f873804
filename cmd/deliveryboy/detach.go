package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/spf13/pflag"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/registry"
)

// detachFlags are how a call runs that becomes a job.
type detachFlags struct {
	on    bool
	name  string
	queue queueFlag
	slots countFlag
	keep  durationFlag
	tries countFlag
}

// detachOnly are the flags that say nothing without --detach.
var detachOnly = []string{"name", "queue", "slots", "keep", "tries"}

func (d *detachFlags) add(f *pflag.FlagSet) {
	d.slots.most, d.keep.most, d.tries.most = job.MaxSlots, 10*maxTimeout, job.MaxTries
	f.BoolVar(&d.on, "detach", false, "make the call a job, and write its identifier; --timeout and --grace are the job's then")
	f.StringVar(&d.name, "name", "", "what people call the job, in listings")
	f.Var(&d.queue, "queue", "let the job wait its turn in this `queue`")
	f.Var(&d.slots, "slots", "how many jobs of the queue may run at once (default 1)")
	f.Var(&d.keep, "keep", "how long the job stays when it has ended; until it is taken away by default")
	f.Var(&d.tries, "tries", "how often the function may run until it returns without an error (default 1)")
}

// check refuses what contradicts.
func (d *detachFlags) check(f *pflag.FlagSet, entry *registry.Entry) error {
	bad := func(flag, why string) error { return &usageError{what: "flag", value: quote("--" + flag), why: why} }
	if !d.on {
		for _, name := range detachOnly {
			if f.Changed(name) {
				return bad(name, "it is for a call that becomes a job; give --detach too")
			}
		}
		return nil
	}
	for _, name := range []string{"dry-run", "raw"} {
		if f.Changed(name) {
			return bad(name, "a call with --detach has no result to show, and no dry run; leave one of them out")
		}
	}
	switch {
	case d.slots.value > 0 && d.queue.name == "":
		return bad("slots", "it says how many jobs of a queue run at once; give --queue too")
	case len(d.name) > job.MaxText:
		return bad("name", fmt.Sprintf("too long; at most %d bytes", job.MaxText))
	case d.tries.value > 1 && !entry.Idempotent():
		return bad("tries", "function "+entry.Name()+" may run only once: it is not registered as one that may be repeated")
	}
	return nil
}

// started is a job that has been started, for programs.
type started struct {
	ID       string   `json:"id"`  // empty if the job was not started
	PID      int      `json:"pid"` // of who keeps it; 0 if it waits in a queue
	Function string   `json:"function"`
	Via      string   `json:"via"`
	Error    *problem `json:"error"`
}

// start makes the call a job and says which.
func (c *call) start(ctx context.Context, entry *registry.Entry, args []reflect.Value, once delivery.Once) error {
	once.Stdout, once.Stderr = c.err, c.err
	h, err := job.StartEntry(ctx, once, entry, single(entry.Type(), args), job.Options{
		Name: c.detach.name, Queue: c.detach.queue.name, Slots: c.detach.slots.value, Keep: c.detach.keep.value,
		Tries: c.detach.tries.value, Timeout: c.timeout.value, Grace: c.grace.value,
	})
	s := started{Function: entry.Name(), Via: c.via.text}
	if err == nil {
		s.ID, s.PID = h.ID, h.PID
	} else {
		s.Error = problemOf(err)
		if unsure := (*job.StartError)(nil); errors.As(err, &unsure) {
			s.ID = unsure.ID
		}
	}
	var failed error
	switch {
	case c.json:
		failed = writeJSON(c.out, s)
	case err == nil:
		if _, failed = fmt.Fprintln(c.out, s.ID); failed != nil {
			failed = &outputError{failed}
		}
	}
	if err == nil {
		err = failed
	}
	return err
}

// single are the values of arguments; those of a variadic parameter stand one by one.
func single(fn reflect.Type, args []reflect.Value) []any {
	var values []any
	for i, a := range args {
		if fn.IsVariadic() && i == len(args)-1 {
			for n := range a.Len() {
				values = append(values, a.Index(n).Interface())
			}
			continue
		}
		values = append(values, a.Interface())
	}
	return values
}
