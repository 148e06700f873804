// Package goprogram builds Go programs for other systems, and says what a program's file is.
package goprogram

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// library is the module without which a program cannot be called.
const library = "github.com/seed354a1416/deliveryboy"

// A Builder is how a main package is built.
type Builder struct {
	Package string // as the go command takes it, such as "./cmd/app"
	Tags    string // as of go build
	LDFlags string // as of go build
}

// A BuildError is what the go command said.
type BuildError struct {
	System string
	Said   string
	Err    error
}

func (e *BuildError) Error() string {
	return fmt.Sprintf("go build for %s: %v: %s", e.System, e.Err, e.Said)
}

// Unwrap returns how the go command ended.
func (e *BuildError) Unwrap() error { return e.Err }

// Build builds the package for a system, static, and without the paths of this machine, so that the same source and the same
// version of Go make the same file. It uses the go command of the PATH, in the current directory.
func (b Builder) Build(ctx context.Context, system, file string) error {
	goos, arch, _ := strings.Cut(system, "/")
	args := []string{"build", "-trimpath", "-o", file}
	if b.Tags != "" {
		args = append(args, "-tags="+b.Tags)
	}
	if b.LDFlags != "" {
		args = append(args, "-ldflags="+b.LDFlags)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "--", b.Package)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+arch)
	if arch == "arm" && os.Getenv("GOARM") == "" {
		cmd.Env = append(cmd.Env, "GOARM=6") // uname says the same of all that Go calls arm
	}
	said, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		if info, e := os.Stat(file); e != nil || !info.Mode().IsRegular() {
			err = errors.New("it made no program; is this a main package?")
		}
	}
	if err != nil {
		return &BuildError{System: system, Said: strings.TrimSpace(string(said[:min(len(said), 8<<10)])), Err: err}
	}
	return nil
}

// Info is what a program's file says of itself.
type Info struct {
	Path   string // the import path of its main package
	System string // GOOS/GOARCH
	Loader string // the dynamic loader that it needs; empty if it is static, or no ELF file
}

// Inspect reads a file. The error says if it is no Go program, or none that can be called.
func Inspect(file string) (Info, error) {
	b, err := buildinfo.ReadFile(file)
	if err != nil {
		return Info{}, fmt.Errorf("%s: it is no Go program: %w", filepath.Base(file), err)
	}
	info := Info{Path: b.Path, Loader: loader(file)}
	var goos, arch string
	for _, s := range b.Settings {
		switch s.Key {
		case "GOOS":
			goos = s.Value
		case "GOARCH":
			arch = s.Value
		}
	}
	info.System = goos + "/" + arch
	if b.Main.Path == library {
		return info, nil
	}
	for _, dep := range b.Deps {
		if dep.Path == library {
			return info, nil
		}
	}
	return info, fmt.Errorf("%s: the program %s does not use %s, and cannot be called", filepath.Base(file), b.Path, library)
}

// loader is what an ELF file asks for.
func loader(file string) string {
	f, err := elf.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, min(p.Filesz, 256))
		if _, err := p.ReadAt(name, 0); err != nil {
			return "?"
		}
		return strings.TrimRight(string(name), "\x00")
	}
	return ""
}
