package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/goprogram"
	"github.com/seed354a1416/deliveryboy/deploy"
)

// systemFlag is a GOOS/GOARCH; it may be given many times, also several at once with commas.
type systemFlag struct{ names []string }

func (f *systemFlag) String() string { return "" }

func (f *systemFlag) Type() string { return "GOOS/GOARCH" }

func (f *systemFlag) Set(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		if err := deploy.CheckSystem(name); err != nil {
			return errors.New("it is not of the form GOOS/GOARCH; write one such as linux/arm64")
		}
		if !slices.Contains(f.names, name) {
			f.names = append(f.names, name)
		}
	}
	return nil
}

// defaultSystems are those of most servers.
var defaultSystems = []string{"linux/amd64", "linux/arm64"}

// packing is one run of the command pack.
type packing struct {
	*terminal
	builder  goprogram.Builder
	systems  systemFlag
	programs bundleFlag
	output   string
	show     string
	json     bool
}

func newPack(t *terminal) *cobra.Command {
	p := &packing{terminal: t}
	cmd := &cobra.Command{
		Use:   "pack [flags] [PACKAGE]",
		Short: "Make a bundle of a program for several systems",
		Long: `pack builds the main package PACKAGE for several systems, static and without the paths
of this machine, and writes the programs into one file. --bundle of call, jobs, deploy
and doctor takes it, and Deploy.Bundle of the library: the far side then gets the program
for its own system. PACKAGE is any program that uses the library, this command for one.

The same source and the same version of Go make the same bundle, byte for byte. With
--program, files that are there already are taken. pack needs the go command, unless all
systems are given so.`,
		Example: `  deliveryboy pack ./cmd/mytool
  deliveryboy pack --system linux/amd64,linux/arm64,linux/386 --output mytool.bundle ./cmd/mytool
  deliveryboy pack --program linux/arm64=build/mytool-arm64 --program linux/amd64=build/mytool
  deliveryboy pack --show mytool.bundle`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{what: "argument", value: quote(args[1]), why: "one too many; pack takes one package"}
			}
			return nil
		},
		RunE: p.run,
	}
	f := cmd.Flags()
	f.Var(&p.systems, "system", "a system to build for, as `GOOS/GOARCH`; may be given many times (default linux/amd64,linux/arm64)")
	f.Var(&p.programs, "program", "a program that is there already, as `GOOS/GOARCH=FILE`; may be given many times")
	f.StringVarP(&p.output, "output", "o", "", "the `file` to write (default NAME.bundle, in this directory)")
	f.StringVar(&p.builder.Tags, "tags", "", "the `tags` to build with, as of go build")
	f.StringVar(&p.builder.LDFlags, "ldflags", "", "the `flags` for the linker, as of go build")
	f.StringVar(&p.show, "show", "", "look whether a bundle is whole, and show what is in the `file`")
	f.BoolVar(&p.json, "json", false, "write one JSON document to stdout")
	return cmd
}

func (p *packing) run(cmd *cobra.Command, args []string) error {
	if p.show != "" {
		if len(args) > 0 || p.output != "" || p.systems.names != nil || p.programs.files != nil {
			return &usageError{what: "pack", why: "--show only reads a bundle; leave the package, and what it is made of, out"}
		}
		b, err := deploy.ReadBundle(p.show)
		if err != nil {
			return &bundleError{err}
		}
		return p.report(p.show, b)
	}
	if p.programs.file != "" {
		return &usageError{what: "flag --program", value: quote(p.programs.file), why: "it names no system; write one such as linux/arm64=build/app-arm64"}
	}
	dir, err := os.MkdirTemp("", "deliveryboy-pack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := p.build(cmd.Context(), dir, args)
	if err != nil {
		return err
	}
	program, err := p.inspect(files)
	if err != nil {
		return &bundleError{err}
	}
	if p.output == "" {
		p.output = path.Base(program) + ".bundle"
	}
	b, err := writeBundle(p.output, program, files)
	if err != nil {
		return err
	}
	return p.report(p.output, b)
}

// build returns the file for each system: those that were given, and those that it builds. Without a package, and with
// files, it builds nothing.
func (p *packing) build(ctx context.Context, dir string, args []string) (map[string]string, error) {
	files := maps.Clone(p.programs.files)
	if files == nil {
		files = map[string]string{}
	}
	if len(args) == 0 && len(files) > 0 && len(p.systems.names) == 0 {
		return files, nil
	}
	p.builder.Package = "."
	if len(args) > 0 {
		p.builder.Package = args[0]
	}
	systems := p.systems.names
	if len(systems) == 0 {
		systems = defaultSystems
	}
	for _, system := range systems {
		if files[system] != "" {
			continue
		}
		fmt.Fprintf(p.err, "deliveryboy: building %s for %s\n", p.builder.Package, system)
		file := filepath.Join(dir, strings.ReplaceAll(system, "/", "-"))
		if err := p.builder.Build(ctx, system, file); err != nil {
			return nil, err
		}
		files[system] = file
	}
	return files, nil
}

// inspect makes sure that all files are the same program, each for its system, and returns the path of its main package.
func (p *packing) inspect(files map[string]string) (program string, err error) {
	first := ""
	for _, system := range slices.Sorted(maps.Keys(files)) {
		info, err := goprogram.Inspect(files[system])
		switch {
		case err != nil:
			return "", err
		case info.System != system:
			return "", fmt.Errorf("%s: it is a program for %s, and was given for %s", files[system], info.System, system)
		case program == "":
			program, first = info.Path, system
		case info.Path != program:
			return "", fmt.Errorf("%s: it is the program %s, and that for %s is %s; a bundle holds one program", files[system], info.Path, first, program)
		}
		if info.Loader != "" {
			fmt.Fprintf(p.err, "deliveryboy: the program for %s is not static: it needs %s and libraries on the far side\n", system, info.Loader)
		}
	}
	return program, nil
}

// writeBundle writes a bundle under a name that it has only when it is whole.
func writeBundle(name, program string, files map[string]string) (b *deploy.Bundle, err error) {
	out, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	readers := map[string]io.Reader{}
	for system, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
		defer f.Close()
		readers[system] = f
	}
	b, err = deploy.WriteBundle(out, program, readers)
	if err = errors.Join(err, out.Chmod(0o644), out.Sync(), out.Close()); err != nil {
		return nil, err
	}
	return b, os.Rename(out.Name(), name)
}

func (p *packing) report(file string, b *deploy.Bundle) error {
	if p.json {
		type entry struct {
			System string `json:"system"`
			SHA256 string `json:"sha256"`
			Bytes  int64  `json:"bytes"`
			Packed int64  `json:"packed"` // bytes that travel to a far side that can unpack
		}
		doc := struct {
			File     string  `json:"file"`
			Program  string  `json:"program"`
			Programs []entry `json:"programs"`
		}{File: file, Program: b.Program}
		for _, e := range b.Entries {
			doc.Programs = append(doc.Programs, entry{e.System, e.Digest, e.Size, e.Packed})
		}
		return writeJSON(p.out, doc)
	}
	var rows [][]string
	for _, e := range b.Entries {
		rows = append(rows, []string{e.System, strconv.FormatInt(e.Size, 10), strconv.FormatInt(e.Packed, 10), e.Digest})
	}
	fmt.Fprintf(p.err, "deliveryboy: %s is a bundle of %s\n", file, b.Program)
	if _, err := p.out.WriteString(display.Table([]string{"system", "bytes", "packed", "sha-256"}, rows)); err != nil {
		return &outputError{err}
	}
	return nil
}

// A bundleError is about files that are not what they should be.
type bundleError struct{ err error }

func (e *bundleError) Error() string { return e.err.Error() }
func (e *bundleError) Unwrap() error { return e.err }

// bundleStatus is for files of programs, and bundles, that cannot be used.
func bundleStatus(err error) int {
	if errors.As(err, new(*bundleError)) {
		return exitData
	}
	return 0
}
