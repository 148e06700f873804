// Package manual writes manual pages from a tree of cobra commands: the flags, texts and examples stand in one place.
package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A Section is one that all pages share, such as the exit status.
type Section struct {
	Title string
	Rows  [][2]string // a term, and what it means
}

// Page is one manual page.
type Page struct {
	Name string // of the file, such as deliveryboy-call.1
	Text []byte // in the man macros
}

// Pages are the pages of root and of all commands below it that people can see, root's first.
func Pages(root *cobra.Command, shared ...Section) []Page {
	var pages []Page
	var add func(*cobra.Command)
	add = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Deprecated != "" {
			return
		}
		pages = append(pages, Page{Name: pageName(cmd) + ".1", Text: []byte(page(cmd, shared))})
		for _, sub := range cmd.Commands() {
			add(sub)
		}
	}
	add(root)
	return pages
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func page(cmd *cobra.Command, shared []Section) string {
	var r roff
	r.macro("TH", strings.ToUpper(pageName(cmd)), "1", "", cmd.Root().Name(), "User Commands")
	r.macro("SH", "NAME")
	r.text(pageName(cmd) + " - " + cmd.Short)
	r.macro("SH", "SYNOPSIS")
	r.text(cmd.UseLine())
	r.macro("SH", "DESCRIPTION")
	description := cmd.Long
	if description == "" {
		description = cmd.Short + "."
	}
	r.paragraphs(description)
	r.flags("OPTIONS", cmd.NonInheritedFlags())
	r.flags("OPTIONS OF ALL COMMANDS", cmd.InheritedFlags())
	r.commands(cmd)
	if cmd.Example != "" {
		r.macro("SH", "EXAMPLES")
		r.literal(cmd.Example)
	}
	for _, s := range shared {
		r.macro("SH", s.Title)
		for _, row := range s.Rows {
			r.term(row[0], row[1])
		}
	}
	r.seeAlso(cmd)
	return r.String()
}

// flags lists the flags of one set.
func (r *roff) flags(title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	r.macro("SH", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		if name != "" {
			term += " " + name
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		r.term(term, usage)
	})
}

// commands lists what is below cmd.
func (r *roff) commands(cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	r.macro("SH", "COMMANDS")
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			r.term(sub.Name(), sub.Short)
		}
	}
}

func (r *roff) seeAlso(cmd *cobra.Command) {
	var pages []string
	if cmd.HasParent() {
		pages = append(pages, pageName(cmd.Parent())+"(1)")
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			pages = append(pages, pageName(sub)+"(1)")
		}
	}
	if len(pages) > 0 {
		r.macro("SH", "SEE ALSO")
		r.text(strings.Join(pages, ", "))
	}
}
