package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
	"github.com/seed354a1416/deliveryboy/job"
)

// jobList is one run of the command jobs ls.
type jobList struct {
	*jobs
	json bool
}

func newJobList(j *jobs) *cobra.Command {
	l := &jobList{jobs: j}
	cmd := &cobra.Command{
		Use:   "ls [flags]",
		Short: "List the jobs",
		Long: `ls lists the jobs of the user where --via leads, the oldest first: what each one is
called, how far it is or how it ended, how long ago it was ordered, the process that keeps
it, who says to have ordered it, and its error.`,
		Args: exactly(0, ""),
		RunE: l.run,
	}
	l.flags(cmd)
	return cmd
}

func (l *jobList) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&l.json, "json", false, "write one JSON document to stdout")
}

func (l *jobList) run(cmd *cobra.Command, _ []string) error {
	return l.at(cmd.Context(), func(c box.Courier) error {
		list, err := job.List(cmd.Context(), c)
		if err != nil {
			return err
		}
		if l.json {
			facts := []jobFacts{}
			for _, i := range list {
				facts = append(facts, factsOf(i))
			}
			return writeJSON(l.out, facts)
		}
		return l.write(jobTable(list, time.Now()))
	})
}

func jobTable(list []job.Info, now time.Time) string {
	const longName, longError = 32, 60 // bytes
	var rows [][]string
	for _, i := range list {
		pid := ""
		if i.PID != 0 && (i.Phase == job.Running || i.Phase == job.Waiting) {
			pid = strconv.Itoa(i.PID)
		}
		age := ""
		if !i.Submitted.IsZero() {
			age = ageOf(now.Sub(i.Submitted))
		}
		rows = append(rows, []string{
			i.ID, plain.Cut(calledJob(i), longName), stateOf(i), age, pid, plain.Cut(i.Submitter, longName), plain.Cut(i.Error, longError),
		})
	}
	return display.Table([]string{"id", "name", "state", "age", "pid", "submitter", "error"}, rows)
}

// calledJob is what people call a job.
func calledJob(i job.Info) string {
	if i.Name != "" {
		return i.Name
	}
	return i.Func
}

// stateOf is how far a job is, or how it ended.
func stateOf(i job.Info) string {
	if i.Phase == job.Ended {
		return string(i.Outcome)
	}
	return string(i.Phase)
}

// ageOf is a time that has passed, in its largest unit. Clocks differ: what is yet to come is now.
func ageOf(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d >= u.unit {
			return fmt.Sprintf("%d%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%ds", max(d, 0)/time.Second)
}

// jobFacts are a job for programs. The names do not change.
type jobFacts struct {
	ID        string    `json:"id"`
	Function  string    `json:"function"`
	Name      string    `json:"name"`
	Submitter string    `json:"submitter"`
	Queue     string    `json:"queue"`
	Phase     string    `json:"phase"`   // waiting, running, ended, lost, damaged
	Outcome   string    `json:"outcome"` // returned, failed, crashed, cancelled, timed out, broken; empty until it has ended
	Submitted time.Time `json:"submitted,omitzero"`
	Began     time.Time `json:"began,omitzero"` // the last attempt
	Ended     time.Time `json:"ended,omitzero"`
	PID       int       `json:"pid"` // of who keeps it
	Attempts  int       `json:"attempts"`
	Error     string    `json:"error"`
	ExitCode  int       `json:"exit_code"` // of a function that ended its process
	Signal    string    `json:"signal"`    // that ended it
	Output    int64     `json:"output"`    // bytes that it printed, when it has ended
	Dropped   int64     `json:"dropped"`   // bytes of it that were not kept
}

func factsOf(i job.Info) jobFacts {
	return jobFacts{
		ID: i.ID, Function: i.Func, Name: i.Name, Submitter: i.Submitter, Queue: i.Queue, Phase: string(i.Phase),
		Outcome: string(i.Outcome), Submitted: i.Submitted, Began: i.Began, Ended: i.Ended, PID: i.PID, Attempts: i.Attempts,
		Error: i.Error, ExitCode: i.ExitCode, Signal: i.Signal, Output: i.Output.Data, Dropped: i.Dropped,
	}
}
