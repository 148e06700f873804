package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/target"
	"github.com/seed354a1416/deliveryboy/internal/spelling"
	"github.com/seed354a1416/deliveryboy/transport"
)

// specFlag is the way to the far side: a spec, or one that begins with the name of a target. Names are looked up when all
// flags are known, by [terminal.resolve].
type specFlag struct {
	spec transport.Spec
	text string // as it was given
	name string // of a target; empty if there is none, or none any more
	way  route  // what the spec stands behind
}

func (f *specFlag) String() string { return f.text }

func (f *specFlag) Type() string { return "spec" }

func (f *specFlag) Set(s string) error {
	f.text, f.name = s, targetIn(s)
	if f.name != "" {
		return nil
	}
	return f.parse(s)
}

func (f *specFlag) parse(s string) error {
	spec, err := transport.Parse(s)
	if syntax := (*transport.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("at byte %d: %s", syntax.Offset, strings.TrimPrefix(syntax.Err.Error(), "transport: "))
	}
	if err != nil {
		return err
	}
	f.spec = spec
	return nil
}

// atTarget stands before what can be nothing but the name of a target.
const atTarget = "@"

// targetIn is the first part of a spec if it is a target's name, "@" included; empty if the part is a key of specs.
func targetIn(s string) string {
	first, _, _ := strings.Cut(s, "//")
	if strings.HasPrefix(first, atTarget) || strings.HasPrefix(first, target.Via) || target.CheckName(first) == nil {
		return first
	}
	return ""
}

// resolve replaces the name of a target by its spec. what is the flag or argument, for errors.
func (t *terminal) resolve(f *specFlag, what string) error {
	if f.name == "" {
		return nil
	}
	usage := func(err error) error { return &usageError{what: what, value: quote(f.text), why: err.Error()} }
	name, marked := strings.CutPrefix(f.name, atTarget)
	targets, err := t.targets()
	if err != nil {
		return err
	}
	spec, known := targets[name]
	switch {
	case strings.HasPrefix(f.name, target.Via):
		if err := f.routed(f.text, targets); err != nil {
			return usage(err)
		}
		return nil
	case known:
	case !marked: // what is wrong with it as a spec says more
		return usage(f.parse(f.text))
	default:
		return usage(noTarget(name, targets))
	}
	if err := f.routed(spec+strings.TrimPrefix(f.text, f.name), targets); err != nil {
		return usage(fmt.Errorf("behind the target's own spec, %s, %w", spec, err))
	}
	return nil
}

func noTarget(name string, targets target.Targets) error {
	if near := spelling.Near(name, targets.Names(), 3); len(near) > 0 {
		return fmt.Errorf("there is no target of this name; did you mean @%s?", strings.Join(near, ", @"))
	}
	return errors.New("there is no target of this name; --targets names the file that has them")
}

// targets are those of the file that was named, or of the user's own, which need not be there.
func (t *terminal) targets() (target.Targets, error) {
	path := t.targetsFile
	if path == "" {
		if path = target.File(); path == "" {
			return nil, nil
		}
	}
	targets, err := target.Read(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return targets, err
	case t.targetsFile == "":
		return nil, nil
	}
	return nil, &target.Error{File: path, Why: "there is no such file"}
}
