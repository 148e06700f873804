// Package detached starts copies of this program that stay when whoever started them ends, and tells them from other
// processes.
//
// Nothing that a worker's functions start outlives the worker, but for these: they are started for just that, such as the
// keeper of a job. A detached copy has the argv "program __keep ROLE [argument…]", a session of its own, no terminal, and
// /dev/null for stdin, stdout and stderr.
package detached

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Verb is the first argument of a detached copy.
const Verb = "__keep"

// exitUsage is that of sysexits.h.
const exitUsage = 64

// firstFile is the descriptor that the first of the files has in the copy.
const firstFile = 3

var roles = map[string]func(args []string) int{}

// Role says what a copy does that is started for a role: main gets the arguments, and returns the exit code. It belongs in
// a package's initialisation; a name can have one main.
func Role(name string, main func(args []string) int) {
	if name == "" || main == nil || roles[name] != nil {
		panic(fmt.Sprintf("detached: role %q: it needs a name of its own and a main", name))
	}
	roles[name] = main
}

// Known reports whether this program can play a role.
func Known(name string) bool { return roles[name] != nil }

// Asked reports whether a program's arguments ask it to be a detached copy.
func Asked(argv []string) bool { return len(argv) >= 2 && argv[1] == Verb }

// playing is set in a copy that plays its role.
var playing bool

// errAstray says that this process is a copy, and does not know it: each copy would start another one, without end.
var errAstray = errors.New("detached: this process is a detached copy, and goes on as if it were none: its program does not call delivery.Main first")

// Main plays the role and exits. argv is the program's own.
func Main(argv []string) {
	if len(argv) < 3 || roles[argv[2]] == nil {
		names := make([]string, 0, len(roles))
		for name := range roles {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "deliveryboy: %s is not for people: it takes one of the roles %q\n", Verb, strings.Join(names, ", "))
		os.Exit(exitUsage)
	}
	playing = true
	os.Exit(roles[argv[2]](argv[3:]))
}

// File returns one of the files that Start was given, by its number; nil if there is none. It may be called once for each.
func File(n int) *os.File { return os.NewFile(uintptr(firstFile+n), fmt.Sprintf("file %d", n)) }

// Start starts a copy for a role, with the environment and directory of this process and the files, which stay open here.
// It returns when the copy is there; its end is waited for, so that no zombie stays, for as long as this process lives.
func Start(role string, args []string, files ...*os.File) (pid int, err error) {
	return start(role, args, os.ProcAttr{Env: os.Environ()}, files)
}

// StartBare is Start for a copy that serves others too: its directory is "/", and of the environment it has only what names
// the user and the places of the user's files.
func StartBare(role string, args []string, files ...*os.File) (pid int, err error) {
	env := []string{}
	for _, name := range []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "XDG_STATE_HOME"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return start(role, args, os.ProcAttr{Env: env, Dir: "/"}, files)
}

func start(role string, args []string, attr os.ProcAttr, files []*os.File) (pid int, err error) {
	if Asked(os.Args) && !playing {
		return 0, errAstray
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("detached: %w", err)
	}
	defer null.Close()
	name, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("detached: %w", err)
	}
	argv := append([]string{name, Verb, role}, args...)
	attr.Files, attr.Sys = append([]*os.File{null, null, null}, files...), session()
	p, err := os.StartProcess(program(name), argv, &attr)
	if err != nil {
		return 0, fmt.Errorf("detached: %w", err)
	}
	go func() { _, _ = p.Wait() }() // ends with one of the two processes
	return p.Pid, nil
}
