package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

func newExplain(t *terminal) *cobra.Command {
	var asJSON bool
	var ask askFlag
	cmd := &cobra.Command{
		Use:   "explain [flags] SPEC [NAME…]",
		Short: "Show what each hop of a spec would run",
		Long: `explain shows the argv of each hop, quoted as a shell would need it, and of the worker
behind the last one. It runs nothing and asks no host. With NAMEs, the worker is
narrowed to these functions, as it is in a call; a rule in sudoers can name that argv
to the letter. With via=NAME, what leads to that target comes first, with its name.`,
		Example: `  deliveryboy explain sudo file.read
  deliveryboy explain ssh=gate//ssh=db1//sudo=postgres`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactly(1, "spec")(cmd, args)
			}
			for _, name := range args[1:] {
				if _, ok := registry.Lookup(name); !ok {
					return unknownFunction(name)
				}
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return t.completeSpec(cmd, args, toComplete)
			}
			return completeFunction(cmd, nil, toComplete)
		},
		RunE: func(_ *cobra.Command, args []string) error { return t.explain(args[0], args[1:], ask, asJSON) },
	}
	ask.add(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON document to stdout")
	return cmd
}

func (t *terminal) explain(text string, names []string, ask askFlag, asJSON bool) error {
	f := specFlag{}
	if err := f.Set(text); err != nil {
		return &usageError{what: "spec", value: quote(text), why: err.Error()}
	}
	if err := t.resolve(&f, "spec"); err != nil {
		return err
	}
	worker := f.spec.Binary
	if worker == "" {
		var err error
		if worker, err = program(); err != nil {
			return err
		}
	}
	way, err := f.way.explain(ask.shown)
	if err != nil {
		return err
	}
	hops, err := hopsOf(ask.shown(f.spec.Via), delivery.WorkerArgv(worker, names...))
	if err != nil {
		return err
	}
	hops = append(way, hops...)
	if asJSON {
		return writeJSON(t.out, struct {
			Spec string `json:"spec"`
			Hops []hop  `json:"hops"`
		}{f.whole(), hops})
	}
	_, err = t.out.WriteString(hopsText(hops))
	return err
}

// A transportError is a transport that cannot be used from here.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// hopsOf is what each hop runs, outermost first and the worker last.
func hopsOf(via transport.Transport, argv []string) ([]hop, error) {
	steps, err := transport.Explain(via, argv)
	if err != nil {
		return nil, &transportError{err}
	}
	var hops []hop
	for _, s := range steps {
		hops = append(hops, hop{s.Hop, s.Argv})
	}
	hops[len(hops)-1].Hop = "worker"
	return hops, nil
}

func hopsText(hops []hop) string {
	var rows [][]string
	for i, h := range hops {
		number := ""
		if i < len(hops)-1 {
			number = fmt.Sprint(i + 1)
		}
		words := make([]string, len(h.Argv))
		for j, word := range h.Argv {
			words[j] = shellWord(word)
		}
		rows = append(rows, []string{number, h.Hop, strings.Join(words, " ")})
	}
	return display.Table([]string{"", "hop", "argv"}, rows)
}

// shellWord is a word as a shell has to be given it.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
