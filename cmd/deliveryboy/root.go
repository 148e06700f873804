package main

import (
	"github.com/spf13/cobra"
)

// newRoot is the command with all that is below it.
func newRoot(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "deliveryboy",
		Short: "Call functions as another user, on another host, as if they were here",
		Long: `deliveryboy calls a Go function that is part of this program: as another user, on
another host, or in a namespace of its own. The call goes through sudo, ssh or a
chain of them to a copy of this program, and its results, output and errors come
back as if the function had run here.`,
		Example: `  deliveryboy functions
  deliveryboy call host.facts
  deliveryboy call --via sudo file.read '{"path": "/etc/shadow"}'
  deliveryboy call --via ssh=web1//sudo command.run '{"argv": ["systemctl", "restart", "nginx"]}'
  deliveryboy explain ssh=gate//ssh=db1//sudo=postgres`,
		Args:              noCommand,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			t.started = true
			for _, via := range t.vias {
				if err := t.resolve(via, "--via"); err != nil {
					return err
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().BoolVar(&t.verbose, "verbose", false, "show all that is known about an error, and who ran the function")
	root.PersistentFlags().StringVar(&t.targetsFile, "targets", "", "the `file` with the names of targets (default ~/.config/deliveryboy/targets.toml)")
	root.SetHelpCommand(newHelp())
	root.AddCommand(newCall(t), newRun(t), newJobs(t), newDeploy(t), newPack(t), newFunctions(t), newServe(t), newKernel(t), newPool(t), newExplain(t), newDoctor(t), newVersion(t), newMan(t))
	root.InitDefaultCompletionCmd()
	wantShell(root)
	return root
}

// noCommand refuses words that are no command.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := &usageError{what: "command", value: quote(args[0]), why: "unknown command; see " + cmd.CommandPath() + " --help"}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		e.why = "unknown command; did you mean " + near[0] + "?"
	}
	return e
}

// exactly wants n arguments, which say describes.
func exactly(n int, say string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < n:
			return &usageError{what: cmd.Name(), why: "no " + say + " given; usage: " + cmd.UseLine()}
		case len(args) > n:
			return &usageError{what: "argument", value: quote(args[n]), why: "one too many; usage: " + cmd.UseLine()}
		}
		return nil
	}
}
