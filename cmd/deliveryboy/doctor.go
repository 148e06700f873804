package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/target"
	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

func newDoctor(t *terminal) *cobra.Command {
	e := &examination{terminal: t, limit: durationFlag{most: maxTimeout}}
	cmd := &cobra.Command{
		Use:   "doctor [flags] SPEC",
		Short: "Say what is wrong with the way to a target, and what to do",
		Long: `doctor looks at each hop of a spec, and at the place that it leads to: whether the hop
can be passed, and without a password; rules and settings of sudo; keys and known hosts
of ssh; who could replace the program, and whether it is the same there; limits, mounts,
free space, clocks, and what the kernel offers. Each finding comes with what to do.

It changes nothing, and asks for nothing. With --ask it asks at the terminal for the
passwords that sudo and ssh want, once each, and with --deploy it brings this program to
each stop that does not have it, as call --deploy does. A finding is an error if calls fail or somebody could take the
target over, a warning if something does not work or is not as safe as it could be, and
a note if it is worth knowing; many machines are as notes say on purpose.

The exit status is 0 if there is no error among the findings, 1 if there is one, and 69
if a hop cannot be passed.`,
		Example: `  deliveryboy doctor sudo
  deliveryboy doctor ssh=deploy@web1//sudo
  deliveryboy doctor --ask --deploy ssh=deploy@new1//sudo
  deliveryboy doctor --json @web1 | jq '.findings[] | select(.severity == "error")'`,
		Args: exactly(1, "spec"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return t.completeSpec(cmd, args, toComplete)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return e.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.BoolVar(&e.json, "json", false, "write one JSON document to stdout")
	f.Var(&e.limit, "timeout", "how long it may take; no limit by default, but for each hop")
	e.deploy.add(f)
	e.ask.add(f)
	return cmd
}

// examination is one run of the command doctor.
type examination struct {
	*terminal
	limit  durationFlag
	deploy deployFlag
	ask    askFlag
	memory *password.Memory // nil without ask
	json   bool
}

// A findingsError says that errors were found.
type findingsError struct{ errors int }

func (e *findingsError) Error() string {
	if e.errors == 1 {
		return "1 error was found"
	}
	return fmt.Sprintf("%d errors were found", e.errors)
}

func (e *examination) run(cmd *cobra.Command, text string) error {
	f := specFlag{}
	if err := f.Set(text); err != nil {
		return &usageError{what: "spec", value: quote(text), why: err.Error()}
	}
	if err := e.resolve(&f, "spec"); err != nil {
		return err
	}
	for _, spec := range append(f.way.specs(), f.spec) {
		if _, err := e.deploy.options(spec); err != nil {
			return err
		}
	}
	ctx, cancel := e.limit.within(cmd.Context())
	defer cancel()
	if ask := e.ask.provider(); ask != nil {
		e.memory = password.Remember(ask)
		defer e.memory.ForgetAll()
	}
	found, failed := e.examine(ctx, f)
	failed = e.limit.late(ctx, failed)
	if err := e.showFindings(f, found, failed); err != nil {
		return &outputError{err}
	}
	if failed != nil {
		return &impassableError{failed}
	}
	bad := &findingsError{}
	for _, finding := range found {
		if finding.Severity == doctor.Error {
			bad.errors++
		}
	}
	if bad.errors > 0 {
		return bad
	}
	return nil
}

// examine looks at each target on the way, opens a session there, and looks at what is behind the last one.
func (e *examination) examine(ctx context.Context, f specFlag) (found []doctor.Finding, failed error) {
	for i := range f.way {
		more, done, err := e.behind(ctx, f.way[:i], f.way[i])
		found = append(found, named(more, f.way[i])...)
		if done(); err != nil {
			return found, err
		}
	}
	more, done, err := e.behind(ctx, f.way, stop{spec: f.spec})
	defer done()
	return append(found, more...), err
}

// behind examines a target behind others that were looked at.
func (e *examination) behind(ctx context.Context, way route, at stop) (found []doctor.Finding, done func(), err error) {
	o := doctor.Options{Memory: e.remembers(at)}
	via, closeAll, err := way.through(ctx, at.spec.Via, e.session)
	if wrongPassword(err) && e.forgets(way) {
		_ = closeAll()
		via, closeAll, err = way.through(ctx, at.spec.Via, e.session)
	}
	done = func() { _ = closeAll() }
	if err != nil {
		return nil, done, err
	}
	at.spec.Via = via
	if o.Deploy, err = e.deploy.options(at.spec); err == nil {
		found, err = doctor.Examine(ctx, at.spec, o)
	}
	return found, done, err
}

// session is how a target on the way is opened.
func (e *examination) session(at stop) (session.Options, error) {
	o, err := stopsWith(e.deploy, e.ask)(at)
	if m := e.remembers(at); m != nil {
		o.Ask = m.Ask
	}
	return o, err
}

// remembers is what keeps the answers to a target's questions while the command runs: it is opened again for each target
// behind it. Nil if nobody is asked.
func (e *examination) remembers(at stop) *password.Memory {
	if e.memory == nil {
		return nil
	}
	var hops []string
	for _, hop := range transport.Hops(at.spec.Via) {
		hops = append(hops, hop.String())
	}
	return e.memory.For(at.name, hops)
}

// forgets drops what was answered on the way, and reports whether any of it was used again: a code is right only once.
func (e *examination) forgets(way route) bool {
	used := false
	for _, at := range way {
		if m := e.remembers(at); m != nil {
			used = m.Forget() || used
		}
	}
	return used
}

func wrongPassword(err error) bool {
	t := (*box.TransportError)(nil)
	return errors.As(err, &t) && strings.HasPrefix(t.Reason, transport.ReasonWrong)
}

// named says of findings that they are about a target on the way.
func named(found []doctor.Finding, at stop) []doctor.Finding {
	for i := range found {
		found[i].Hop = target.Via + at.name + ": " + found[i].Hop
	}
	return found
}

// showFindings writes findings as a table, or as a document whose field names do not change.
func (e *examination) showFindings(f specFlag, found []doctor.Finding, failed error) error {
	if e.json {
		if found == nil {
			found = []doctor.Finding{}
		}
		return writeJSON(e.out, struct {
			Spec      string           `json:"spec"`
			Reachable bool             `json:"reachable"`
			Findings  []doctor.Finding `json:"findings"`
		}{f.whole(), failed == nil, found})
	}
	if len(found) == 0 {
		if failed == nil {
			_, err := fmt.Fprintln(e.out, "nothing found")
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
	_, err := e.out.WriteString(display.Table([]string{"severity", "hop", "check", "what → what to do"}, rows))
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
