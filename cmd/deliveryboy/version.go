package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
)

func newVersion(t *terminal) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version [flags]",
		Short: "Show which build this is",
		Long: `version shows what a caller and a worker compare before a call: the build, and the
fingerprint of the functions in it.`,
		Args: exactly(0, ""),
		RunE: func(*cobra.Command, []string) error { return t.version(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON document to stdout")
	return cmd
}

func (t *terminal) version(asJSON bool) error {
	v := struct {
		Version   string `json:"version"`
		Build     string `json:"build"`     // two programs with the same one are the same, byte for byte
		Functions string `json:"functions"` // the fingerprint of the functions and their types
		Go        string `json:"go"`
		OS        string `json:"os"`
		Arch      string `json:"arch"`
	}{build.Version(), build.ID(), registry.Fingerprint(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
	if asJSON {
		return writeJSON(t.out, v)
	}
	text := display.Pairs([][]string{
		{"version", v.Version}, {"build", v.Build}, {"functions", v.Functions}, {"go", v.Go}, {"system", v.OS + "/" + v.Arch},
	})
	if _, err := t.out.WriteString(text); err != nil {
		return &outputError{err}
	}
	return nil
}
