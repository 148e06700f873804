package main

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/argument"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/registry"
)

// function is one entry of the list, for programs.
type function struct {
	Name      string   `json:"name"`
	Signature string   `json:"signature"`
	Doc       string   `json:"doc"`
	Where     string   `json:"where"`     // the file:line that registered it
	Arguments []string `json:"arguments"` // how each argument is written
	Results   []string `json:"results"`   // how each result is written
}

func newFunctions(t *terminal) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "functions [flags] [NAME…]",
		Short: "List the functions that can be called",
		Long: `functions lists the functions that are part of this program. With NAMEs, it shows
those functions alone, and how their arguments and results are written.`,
		Example: `  deliveryboy functions
  deliveryboy functions file.write`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if _, ok := registry.Lookup(name); !ok {
					return unknownFunction(name)
				}
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return completeFunction(cmd, nil, toComplete)
		},
		RunE: func(_ *cobra.Command, args []string) error { return t.functions(args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON document to stdout")
	return cmd
}

func (t *terminal) functions(names []string, asJSON bool) error {
	all := len(names) == 0
	if all {
		names = functionNames()
	}
	list := []function{}
	for _, name := range names {
		entry, _ := registry.Lookup(name)
		list = append(list, functionOf(entry))
	}
	if asJSON {
		return writeJSON(t.out, list)
	}
	text := functionTable(list)
	if !all {
		text = functionDetails(list)
	}
	if _, err := t.out.WriteString(text); err != nil {
		return &outputError{err}
	}
	return nil
}

// functionNames are the functions that are there for people. Those that the library itself is made of are not shown.
func functionNames() []string {
	return slices.DeleteFunc(registry.Names(), func(name string) bool { return strings.HasPrefix(name, "deliveryboy.") })
}

func functionOf(e *registry.Entry) function {
	f := function{
		Name: e.Name(), Signature: e.Signature(), Doc: e.Doc(), Where: e.Where(), Arguments: []string{}, Results: []string{},
	}
	for i, t := range parameters(e.Type()) {
		if e.Type().IsVariadic() && i == len(parameters(e.Type()))-1 {
			f.Arguments = append(f.Arguments, argument.Shape(t.Elem())+", any number of times")
			continue
		}
		f.Arguments = append(f.Arguments, argument.Shape(t))
	}
	for t := range e.Type().Outs() {
		if t != reflect.TypeFor[error]() {
			f.Results = append(f.Results, argument.Shape(t))
		}
	}
	return f
}

func functionTable(list []function) string {
	var rows [][]string
	for _, f := range list {
		rows = append(rows, []string{f.Name, shortSignature(f.Signature), f.Doc})
	}
	return display.Table([]string{"name", "signature", "doc"}, rows)
}

// shortSignature leaves out what all signatures have in common.
func shortSignature(s string) string {
	s = strings.TrimPrefix(s, "func")
	s = strings.Replace(s, "("+reflect.TypeFor[context.Context]().String()+", ", "(ctx, ", 1)
	return strings.Replace(s, "("+reflect.TypeFor[context.Context]().String()+")", "(ctx)", 1)
}

func functionDetails(list []function) string {
	var texts []string
	for _, f := range list {
		pairs := [][]string{{"name", f.Name}, {"doc", f.Doc}, {"signature", f.Signature}, {"where", f.Where}}
		for _, a := range f.Arguments {
			pairs = append(pairs, []string{"argument", a})
		}
		for _, r := range f.Results {
			pairs = append(pairs, []string{"result", r})
		}
		texts = append(texts, display.Pairs(pairs))
	}
	return strings.Join(texts, "\n")
}
