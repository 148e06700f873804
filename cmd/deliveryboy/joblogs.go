package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/job"
)

// jobLogs is one run of the command jobs logs.
type jobLogs struct {
	*jobs
	follow bool
	times  bool
	raw    bool
	only   streamFlag
	from   offsetFlag
}

func newJobLogs(j *jobs) *cobra.Command {
	l := &jobLogs{jobs: j}
	cmd := &cobra.Command{
		Use:   "logs [flags] ID",
		Short: "Show what a job printed",
		Long: `logs writes what a job has printed so far: its stdout to stdout, its stderr and what it
logged to stderr, in the order in which it was written. What was not kept is reported
on stderr, where it is missing.

With --verbose, stderr says at the end where to go on another time, with --from. So does
the error of a way that broke.`,
		Example: `  deliveryboy jobs logs --via sudo -f last
  deliveryboy jobs logs --stream stdout 01kvmzt2`,
		Args:              oneJob(),
		ValidArgsFunction: j.completeJob,
		RunE:              l.run,
	}
	f := cmd.Flags()
	f.BoolVarP(&l.follow, "follow", "f", false, "go on until the job has ended")
	f.Var(&l.only, "stream", "show only this `stream`: stdout, stderr or log; may be given many times")
	f.BoolVar(&l.times, "timestamps", false, "begin each line with the time at which it was written there")
	f.Var(&l.from, "from", "begin at this `POS:DATA` of the output")
	f.BoolVar(&l.raw, "raw", false, "write text as it is, control characters included")
	completeWords(cmd, "stream", streams)
	return cmd
}

func (l *jobLogs) run(cmd *cobra.Command, args []string) error {
	return l.with(cmd.Context(), args[0], func(h *job.Handle) error { return l.show(cmd.Context(), h) })
}

func (l *jobLogs) show(ctx context.Context, h *job.Handle) (failed error) {
	out, flushOut := passOn(l.out, l.raw)
	errs, flushErr := passOn(l.err, l.raw)
	defer func() {
		if err := errors.Join(flushOut(), flushErr()); err != nil && failed == nil {
			failed = &outputError{err}
		}
	}()
	to := map[job.Stream]*lines{}
	for _, s := range []job.Stream{job.Stdout, job.Stderr, job.Log} {
		to[s] = &lines{to: errs, times: l.times}
	}
	to[job.Stdout].to = out
	next := l.from.offset
	for p, err := range h.Output(ctx, next, l.follow) {
		if err != nil {
			return &brokenOffError{next, err}
		}
		next = p.Next
		switch {
		case p.Stream == job.Gap:
			_, err = fmt.Fprintf(errs, "deliveryboy: %d bytes of the output are missing here\n", p.Dropped)
		case l.only.wants(p.Stream) && to[p.Stream] != nil:
			err = to[p.Stream].write(p)
		}
		if err != nil {
			return &outputError{err}
		}
	}
	if l.verbose {
		fmt.Fprintf(l.err, "deliveryboy: the output goes on at --from %d:%d\n", next.Pos, next.Data)
	}
	return nil
}

// A brokenOffError is output that could not be read to its end.
type brokenOffError struct {
	next job.Offset
	err  error
}

func (e *brokenOffError) Error() string {
	return fmt.Sprintf("%s; the output goes on at --from %d:%d", e.err, e.next.Pos, e.next.Data)
}
func (e *brokenOffError) Unwrap() error { return e.err }

// lines writes the pieces of a stream, if that is asked for with the time before each line: that of its first piece.
type lines struct {
	to     io.Writer
	times  bool
	inside bool // a line
}

func (w *lines) write(p job.Piece) error {
	if !w.times {
		_, err := w.to.Write(p.Data)
		return err
	}
	stamp := p.Time.Format(time.RFC3339Nano) + " "
	text := make([]byte, 0, len(p.Data)+len(stamp))
	for _, c := range p.Data {
		if !w.inside {
			text = append(text, stamp...)
		}
		text = append(text, c)
		w.inside = c != '\n'
	}
	_, err := w.to.Write(text)
	return err
}
