package main

import (
	"context"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/job"
)

// newJobOrders are the commands that tell a job something, and say nothing themselves.
func newJobOrders(j *jobs) []*cobra.Command {
	var cmds []*cobra.Command
	for _, o := range []struct {
		name, short, long string
		do                func(*job.Handle, context.Context) error
	}{
		{
			"cancel", "Cancel a job", `cancel ends the context of a job's function; what does not return within the grace is
ended. A job that waits does not run. cancel does not wait; deliveryboy jobs wait does.`, (*job.Handle).Cancel,
		},
		{
			"suspend", "Stop a job until it is resumed", `suspend stops the function of a job and all that it started. A --timeout of the job goes
on meanwhile.`, (*job.Handle).Suspend,
		},
		{"resume", "Let a suspended job go on", "resume lets the function of a job go on, and all that it started.", (*job.Handle).Resume},
		{
			"ack", "Say that a result has been taken in", `ack takes away a job that has ended, with its result and output. It is refused while the
job runs or waits; see forget.`, (*job.Handle).Acknowledge,
		},
		{
			"forget", "Take a job away, if need be when it ends", `forget takes a job away that has ended or waits. One that runs goes on, and goes away
when it ends; cancel it first if it should not.`, (*job.Handle).Forget,
		},
	} {
		cmds = append(cmds, &cobra.Command{
			Use:               o.name + " [flags] ID",
			Short:             o.short,
			Long:              o.long,
			Args:              oneJob(),
			ValidArgsFunction: j.completeJob,
			RunE: func(cmd *cobra.Command, args []string) error {
				return j.with(cmd.Context(), args[0], func(h *job.Handle) error { return o.do(h, cmd.Context()) })
			},
		})
	}
	return cmds
}

func newJobSignal(j *jobs) *cobra.Command {
	return &cobra.Command{
		Use:   "signal [flags] ID SIGNAL",
		Short: "Send a signal to the process that runs a job's function",
		Long: `signal sends a signal to the worker that runs the function of a job. SIGNAL is a name, as
SIGUSR1 or USR1, or a number, as Linux has it.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := oneJob("signal")(cmd, args); err != nil {
				return err
			}
			_, err := signalNamed(args[1])
			return err
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return signalWords(), cobra.ShellCompDirectiveNoFileComp
			}
			return j.completeJob(cmd, args, toComplete)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			sig, err := signalNamed(args[1])
			if err != nil {
				return err
			}
			return j.with(cmd.Context(), args[0], func(h *job.Handle) error { return h.Signal(cmd.Context(), sig) })
		},
	}
}

// linuxSignals are the names of signals by their numbers on Linux: jobs run there, this command anywhere.
var linuxSignals = strings.Fields(`- HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP
	TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS`)

const maxSignal = 64 // real-time ones have no names

func signalNamed(word string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(word); err == nil && n >= 1 && n <= maxSignal {
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(word), "SIG")
	for n, known := range linuxSignals {
		if n > 0 && name == known {
			return syscall.Signal(n), nil
		}
	}
	return 0, &usageError{what: "signal", value: quote(word), why: "there is none of this name or number; write one such as TERM, SIGUSR1 or 10"}
}

func signalWords() []string {
	var words []string
	for _, name := range linuxSignals[1:] {
		words = append(words, "SIG"+name)
	}
	return words
}

func newJobDump(j *jobs) *cobra.Command {
	return &cobra.Command{
		Use:               "dump [flags] ID",
		Short:             "Show where a job's function is",
		Long:              "dump shows the stacks of the worker that runs the function of a job: where it hangs, if it does.",
		Args:              oneJob(),
		ValidArgsFunction: j.completeJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			return j.with(cmd.Context(), args[0], func(h *job.Handle) error {
				text, err := h.Dump(cmd.Context())
				if err != nil {
					return err
				}
				return j.writeFar(strings.TrimSuffix(text, "\n") + "\n")
			})
		},
	}
}

func newJobStats(j *jobs) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "stats [flags] ID",
		Short:             "Measure the processes of a job",
		Long:              "stats shows what the processes of a job that runs take: the worker, and all that its function started.",
		Args:              oneJob(),
		ValidArgsFunction: j.completeJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			return j.with(cmd.Context(), args[0], func(h *job.Handle) error { return j.stats(cmd.Context(), h, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON document to stdout")
	return cmd
}

func (j *jobs) stats(ctx context.Context, h *job.Handle, asJSON bool) error {
	s, err := h.Stats(ctx)
	switch {
	case err != nil:
		return err
	case s == (job.Stats{}):
		return &stateError{id: h.ID, err: job.ErrNotRunning}
	case asJSON:
		return writeJSON(j.out, struct {
			WorkerPID int   `json:"worker_pid"`
			Processes int   `json:"processes"`
			Threads   int   `json:"threads"`
			RSS       int64 `json:"rss_bytes"`
			CPU       int64 `json:"cpu_ns"` // with children that have ended
			Suspended bool  `json:"suspended"`
		}{s.WorkerPID, s.Processes, s.Threads, s.RSS, s.CPU.Nanoseconds(), s.Suspended})
	}
	suspended := "no"
	if s.Suspended {
		suspended = "yes"
	}
	return j.write(display.Pairs([][]string{
		{"worker", strconv.Itoa(s.WorkerPID)}, {"processes", strconv.Itoa(s.Processes)}, {"threads", strconv.Itoa(s.Threads)},
		{"memory", sizeText(s.RSS)}, {"cpu", s.CPU.Round(time.Millisecond).String()}, {"suspended", suspended},
	}))
}
