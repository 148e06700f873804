package transport

import (
	"errors"
	"fmt"
)

// Build returns the argv to start on this machine so that argv runs behind t, with the first word an absolute path.
//
// A bare name is looked up in /usr/bin, /bin, /usr/sbin, /sbin and /usr/local/bin, never in PATH. The file, and each
// directory and link on the way, must belong to root and be writable by root alone, otherwise the error is
// [ErrUnsafe]; a missing file is [ErrNotFound]. Programs of further hops are on machines that cannot be looked at from
// here. argv itself is not checked against files: it is on the far side, or, when t is [Self] or begins with a [Socket], the
// caller's own. Neither is a helper of [Asking].
func Build(t Transport, argv []string) ([]string, error) {
	hops := Hops(t)
	steps, err := unfold(hops, argv)
	if err != nil {
		return nil, err
	}
	if len(hops) == 0 {
		return steps[0], nil
	}
	if c, ok := hops[0].(interface{ checkHere() error }); ok {
		if err := c.checkHere(); err != nil {
			return nil, err
		}
	}
	out := steps[0]
	if _, own := hops[0].(Socket); own || dialer(hops) != nil { // what runs is argv's own program, or none
		return out, nil
	}
	which := 0
	if a, ok := hops[0].(atTerminal); ok { // what starts it is the caller's own
		which = a.program()
	}
	if out[which], err = findProgram(out[which]); err != nil {
		return nil, err
	}
	return out, nil
}

// checkRoot refuses a root directory in which others than root can place the libraries that sudo or chroot may load, or
// the worker's program.
func checkRoot(what, dir string) error {
	info, err := walk(dir)
	if errors.Is(err, ErrNotFound) {
		return invalid(what, dir, "does not exist")
	}
	if err != nil {
		return fmt.Errorf("%w (%s)", err, what)
	}
	if !info.IsDir() {
		return invalid(what, dir, "is not a directory")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: %w", invalid(what, dir, "is writable by group or others"), ErrUnsafe)
	}
	return nil
}

// A Step is what one hop runs.
type Step struct {
	Hop  string   // the hop in spec form; "self" for the worker
	Argv []string // what starts that hop; the far part of it is inside, quoted where the hop needs it
}

// Explain returns what each hop will run, outermost first and the worker last. It starts nothing and does not look for
// programs: the first word may be a bare name, which [Build] would look up.
func Explain(t Transport, argv []string) ([]Step, error) {
	hops := Hops(t)
	argvs, err := unfold(hops, argv)
	if err != nil {
		return nil, err
	}
	steps := make([]Step, len(argvs))
	for i := range argvs {
		steps[i] = Step{Hop: Self{}.String(), Argv: argvs[i]}
		if i < len(hops) {
			steps[i].Hop = hops[i].String()
		}
	}
	return steps, nil
}
