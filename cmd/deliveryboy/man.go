package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/manual"
	"github.com/seed354a1416/deliveryboy/registry"
)

func newMan(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:                   "man DIR",
		DisableFlagsInUseLine: true,
		Short:                 "Write the manual pages into a directory",
		Long:                  "man writes a manual page for each command into DIR, which has to be there. Pages that are there are replaced.",
		Example:               "  deliveryboy man /usr/local/share/man/man1",
		Args:                  exactly(1, "directory"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error { return t.man(cmd.Root(), args[0]) },
	}
}

func (t *terminal) man(root *cobra.Command, dir string) error {
	for _, p := range manual.Pages(root, statusSection(), functionSection()) {
		path := filepath.Join(dir, p.Name)
		if err := os.WriteFile(path, p.Text, 0o644); err != nil {
			return &outputError{err}
		}
		if _, err := t.out.WriteString(path + "\n"); err != nil {
			return &outputError{err}
		}
	}
	return nil
}

// statusSection is the table of exit statuses.
func statusSection() manual.Section {
	s := manual.Section{Title: "EXIT STATUS", Rows: [][2]string{{"0", "the function returned"}}}
	for _, e := range exits {
		s.Rows = append(s.Rows, [2]string{e.status, e.meaning})
	}
	return s
}

// functionSection is the list of functions.
func functionSection() manual.Section {
	s := manual.Section{Title: "FUNCTIONS"}
	for _, name := range functionNames() {
		if e, ok := registry.Lookup(name); ok {
			s.Rows = append(s.Rows, [2]string{name, e.Doc()})
		}
	}
	return s
}
