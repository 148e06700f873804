package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// What the functions that jobs are made of begin with, and the one that starts a job.
const (
	jobFunctions = "deliveryboy.job."
	jobStart     = jobFunctions + "start"
)

// jobs is one run of a command below jobs.
type jobs struct {
	*terminal
	via    specFlag
	deploy deployFlag
	ask    askFlag
}

func newJobs(t *terminal) *cobra.Command {
	j := &jobs{terminal: t, via: specFlag{spec: transport.Spec{Via: transport.Self{}}, text: "self"}}
	list := &jobList{jobs: j}
	cmd := &cobra.Command{
		Use:   "jobs [flags]",
		Short: "List jobs, and see to them",
		Long: `jobs is about calls that outlive their caller, which deliveryboy call --detach starts,
and any program with the library. They live where --via leads, and belong to the user
there. Without a command, jobs lists them.

ID is the identifier of a job, the beginning of one if no other begins so, of 4
characters at least, or "last" for the newest.

What is not there, or not in the state that a command needs, gives the exit status 69;
see the manual for all of them.`,
		Example: `  deliveryboy call --via sudo --detach --name update command.run '{"argv": ["apt-get", "update"]}'
  deliveryboy jobs --via sudo
  deliveryboy jobs logs --via sudo -f last
  deliveryboy jobs result --via sudo --ack last`,
		Args: noCommand,
		RunE: list.run,
	}
	cmd.PersistentFlags().Var(&j.via, "via", "the `spec` of the way to the jobs, such as sudo=www, ssh=web1//sudo or via=TARGET//sudo")
	j.deploy.add(cmd.PersistentFlags())
	j.ask.add(cmd.PersistentFlags())
	t.completeSpecFlag(cmd, &j.via)
	list.flags(cmd)
	cmd.AddCommand(newJobList(j), newJobLogs(j), newJobWait(j), newJobResult(j), newJobSignal(j), newJobStats(j), newJobDump(j), newJobCollect(j))
	cmd.AddCommand(newJobOrders(j)...)
	return cmd
}

// at opens a worker where the jobs are, for f. It can do nothing but see to jobs.
func (j *jobs) at(ctx context.Context, f func(box.Courier) error) error {
	o, err := j.session()
	if err != nil {
		return err
	}
	via, done, err := j.via.way.through(ctx, o.Via, stopsWith(j.deploy, j.ask))
	defer done() //nolint:errcheck // what it was for has been done, or has failed
	if err != nil {
		return err
	}
	o.Via, o.Stdout, o.Stderr = via, j.err, j.err
	there, err := session.Open(ctx, o)
	if err != nil {
		return err
	}
	defer there.Close() //nolint:errcheck // what it was for has been done, or has failed
	return f(there)
}

func (j *jobs) session() (session.Options, error) {
	o := delivery.SessionFor(j.via.spec)
	var err error
	if o.Deploy, err = j.deploy.options(j.via.spec); err != nil {
		return o, err
	}
	o.Ask = j.ask.provider()
	for _, name := range registry.Names() {
		if strings.HasPrefix(name, jobFunctions) && name != jobStart {
			o.Only = append(o.Only, name)
		}
	}
	return o, nil
}

// with opens a worker as at does, and finds the job that a word names.
func (j *jobs) with(ctx context.Context, word string, f func(*job.Handle) error) error {
	return j.at(ctx, func(c box.Courier) error {
		id, err := findJob(ctx, c, word)
		if err != nil {
			return err
		}
		h, err := job.AttachHandle(ctx, c, id)
		if err != nil {
			return err
		}
		return f(h)
	})
}

// write writes what a command has to say.
func (j *jobs) write(text string) error {
	if _, err := io.WriteString(j.out, text); err != nil {
		return &outputError{err}
	}
	return nil
}

// writeFar writes text from the far side.
func (j *jobs) writeFar(text string) error {
	to, flush := passOn(j.out, false)
	_, err := io.WriteString(to, text)
	if err == nil {
		err = flush()
	}
	if err != nil {
		return &outputError{err}
	}
	return nil
}
