package main

import (
	"slices"

	"github.com/spf13/cobra"
)

// newHelp is the command help: what --help of another command says.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:                   "help [COMMAND]",
		Short:                 "Show help for a command",
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(cmd.Root(), rest)
			}
			return about.Help()
		},
	}
}

// wantShell makes the command completion refuse a shell that it does not know; on its own it would show its help.
func wantShell(root *cobra.Command) {
	i := slices.IndexFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == "completion" })
	completion := root.Commands()[i]
	completion.RunE = func(*cobra.Command, []string) error { return nil } // only what can run has its arguments checked
	completion.Args = func(cmd *cobra.Command, args []string) error {
		const shells = "give one of bash, fish, powershell and zsh"
		if len(args) == 0 {
			return &usageError{what: "completion", why: "no shell given; " + shells}
		}
		return &usageError{what: "shell", value: quote(args[0]), why: "not known; " + shells}
	}
}
