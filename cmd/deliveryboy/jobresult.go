package main

import (
	"context"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/registry"
)

func newJobWait(j *jobs) *cobra.Command {
	timeout := durationFlag{most: maxTimeout}
	cmd := &cobra.Command{
		Use:   "wait [flags] ID",
		Short: "Wait for the end of a job",
		Long: `wait waits until a job has ended, and ends with the exit status that a call of its
function would have. The result stays; deliveryboy jobs result shows it.`,
		Args:              oneJob(),
		ValidArgsFunction: j.completeJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := timeout.within(cmd.Context())
			defer cancel()
			return timeout.late(ctx, j.with(ctx, args[0], func(h *job.Handle) error {
				o, err := resultOf(ctx, h)
				if err == nil {
					err = o.err
				}
				return err
			}))
		},
	}
	cmd.Flags().Var(&timeout, "timeout", "how long to wait; no limit by default")
	return cmd
}

// jobResult is one run of the command jobs result.
type jobResult struct {
	*jobs
	json bool
	raw  bool
	ack  bool
}

func newJobResult(j *jobs) *cobra.Command {
	r := &jobResult{jobs: j}
	cmd := &cobra.Command{
		Use:   "result [flags] ID",
		Short: "Show the result of a job",
		Long: `result shows what the function of a job returned, and ends with the exit status, as a
call does. It does not wait: of a job that has not ended there is none.

With --ack it also says that the result has been taken in, when it has been written or
the function's error shown: the job and its output are taken away then.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if r.json && r.raw {
				return &usageError{what: "flags --json and --raw", why: "they contradict each other; give one of them"}
			}
			return oneJob()(cmd, args)
		},
		ValidArgsFunction: j.completeJob,
		RunE:              r.run,
	}
	f := cmd.Flags()
	f.BoolVar(&r.json, "json", false, "write one JSON document to stdout")
	f.BoolVar(&r.raw, "raw", false, "write text as it is, control characters included")
	f.BoolVar(&r.ack, "ack", false, "take the job away when its result has been shown")
	return cmd
}

func (r *jobResult) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	return r.with(ctx, args[0], func(h *job.Handle) error {
		i, err := h.Info(ctx)
		if err != nil {
			return err
		}
		if i.Phase == job.Waiting || i.Phase == job.Running {
			return &stateError{id: h.ID, err: job.ErrNotEnded, why: "deliveryboy jobs wait does what it says"}
		}
		o, err := resultOf(ctx, h)
		if err != nil {
			return err
		}
		o.via = r.via.text
		c := &call{terminal: r.terminal, json: r.json, raw: r.raw}
		err = c.show(o)
		if err == nil && r.ack {
			err = h.Acknowledge(ctx)
		}
		if o.err != nil {
			return o.err
		}
		return err
	})
}

// resultOf waits for the end of a job, and returns what came of it. An error of the function is in that.
func resultOf(ctx context.Context, h *job.Handle) (outcome, error) {
	values, failed := h.Results(ctx)
	if failed != nil && !isOutcome(failed) {
		return outcome{}, failed
	}
	i, err := h.Info(ctx)
	switch {
	case err != nil && failed != nil: // somebody has taken it away; the function's error says enough
		return outcome{job: h.ID, err: failed}, nil
	case err != nil:
		return outcome{}, err
	}
	o := outcome{job: h.ID, function: i.Func}
	if failed != nil {
		o.err = &endedError{i.Outcome, failed}
	}
	if o.err == nil || returned(o.err) { // else they are zero: the function has returned none
		o.results = typed(i.Func, values)
	}
	return o, nil
}

// isOutcome reports whether an error is what became of the function of a job, and not of the question for that.
func isOutcome(err error) bool {
	remote := remoteOf(err)
	return remote != nil && !strings.HasPrefix(remote.Origin.Func, jobFunctions)
}

// typed are the results of a function, each with the type that it is declared with.
func typed(function string, values []any) []reflect.Value {
	entry, ok := registry.Lookup(function)
	if !ok {
		return nil
	}
	var results []reflect.Value
	for i, t := range entry.Results() {
		v := reflect.New(t).Elem()
		if i < len(values) && values[i] != nil {
			v.Set(reflect.ValueOf(values[i]))
		}
		results = append(results, v)
	}
	return results
}

// An endedError is the failure of a job, and how it ended.
type endedError struct {
	outcome job.Outcome
	err     error
}

func (e *endedError) Error() string {
	switch e.outcome {
	case job.Cancelled, job.TimedOut, job.Broken:
		return string(e.outcome) + ": " + e.err.Error()
	}
	return e.err.Error()
}
func (e *endedError) Unwrap() error { return e.err }
