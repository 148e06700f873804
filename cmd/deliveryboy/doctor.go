package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/doctor"
)

func newDoctor(t *terminal) *cobra.Command {
	var asJSON bool
	var limit = durationFlag{most: maxTimeout}
	cmd := &cobra.Command{
		Use:   "doctor [flags] SPEC",
		Short: "Say what is wrong with the way to a target, and what to do",
		Long: `doctor looks at each hop of a spec, and at the place that it leads to: whether the hop
can be passed, and without a password; rules and settings of sudo; keys and known hosts
of ssh; who could replace the program, and whether it is the same there; limits, mounts,
free space, clocks, and what the kernel offers. Each finding comes with what to do.

It changes nothing. A finding is an error if calls fail or somebody could take the
target over, a warning if something does not work or is not as safe as it could be, and
a note if it is worth knowing; many machines are as notes say on purpose.

The exit status is 0 if there is no error among the findings, 1 if there is one, and 69
if a hop cannot be passed.`,
		Example: `  deliveryboy doctor sudo
  deliveryboy doctor ssh=deploy@web1//sudo
  deliveryboy doctor --json @web1 | jq '.findings[] | select(.severity == "error")'`,
		Args: exactly(1, "spec"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return t.completeSpec(cmd, args, toComplete)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return t.doctor(cmd, args[0], &limit, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON document to stdout")
	cmd.Flags().Var(&limit, "timeout", "how long it may take; no limit by default, but for each hop")
	return cmd
}

// A findingsError says that errors were found.
type findingsError struct{ errors int }

func (e *findingsError) Error() string {
	if e.errors == 1 {
		return "1 error was found"
	}
	return fmt.Sprintf("%d errors were found", e.errors)
}

func (t *terminal) doctor(cmd *cobra.Command, text string, limit *durationFlag, asJSON bool) error {
	var f specFlag
	if err := f.Set(text); err != nil {
		return &usageError{what: "spec", value: quote(text), why: err.Error()}
	}
	if err := t.resolve(&f, "spec"); err != nil {
		return err
	}
	ctx, cancel := limit.within(cmd.Context())
	defer cancel()
	found, failed := doctor.Examine(ctx, f.spec)
	failed = limit.late(ctx, failed)
	if err := t.showFindings(f, found, failed, asJSON); err != nil {
		return &outputError{err}
	}
	if failed != nil {
		return &impassableError{failed}
	}
	e := &findingsError{}
	for _, finding := range found {
		if finding.Severity == doctor.Error {
			e.errors++
		}
	}
	if e.errors > 0 {
		return e
	}
	return nil
}

// showFindings writes findings as a table, or as a document whose field names do not change.
func (t *terminal) showFindings(f specFlag, found []doctor.Finding, failed error, asJSON bool) error {
	if asJSON {
		if found == nil {
			found = []doctor.Finding{}
		}
		return writeJSON(t.out, struct {
			Spec      string           `json:"spec"`
			Reachable bool             `json:"reachable"`
			Findings  []doctor.Finding `json:"findings"`
		}{f.spec.String(), failed == nil, found})
	}
	if len(found) == 0 {
		if failed == nil {
			_, err := fmt.Fprintln(t.out, "nothing found")
			return err
		}
		return nil
	}
	var rows [][]string
	for _, finding := range found {
		rows = append(rows, []string{
			string(finding.Severity), finding.Hop, finding.Check, finding.What,
		}, []string{"", "", "", "→ " + finding.Fix})
	}
	_, err := t.out.WriteString(display.Table([]string{"severity", "hop", "check", "what → what to do"}, rows))
	return err
}

// An impassableError is a hop behind which there is no worker.
type impassableError struct{ err error }

func (e *impassableError) Error() string { return e.err.Error() }
func (e *impassableError) Unwrap() error { return e.err }

// impassableStatus is for hops that doctor could not pass, for whatever reason: the findings have it.
func impassableStatus(err error) int {
	if errors.As(err, new(*impassableError)) {
		return exitUnavailable
	}
	return 0
}

// findingsStatus is for errors that doctor found where all hops can be passed.
func findingsStatus(err error) int {
	if errors.As(err, new(*findingsError)) {
		return exitFailed
	}
	return 0
}
