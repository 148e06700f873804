// Package worker is the far side: the copy of the program that a transport started, and that runs functions there.
//
// A worker trusts its stdin as far as the box goes: it decides by itself which functions it runs (the registry, narrowed
// by its argv), with which environment, and it ends, with everything that it started, when its stdin does. See
// channel/SPEC.md for what it reads and writes.
package worker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
)

// Exit codes of a worker that could not do its work. They follow sysexits.h.
const (
	exitUsage       = 64
	exitData        = 65
	exitUnavailable = 69
	exitOS          = 71
	exitProtocol    = 76
)

const (
	preambleTimeout = 30 * time.Second // from start to the whole preamble
	defaultGrace    = time.Second      // from cancellation to the end
	maxGrace        = time.Minute
)

// Served is what a server sets in the environment of its workers: they get a guardian, on Linux, whoever they are. It gives
// no right, and goes no further.
const Served = "DELIVERYBOY_SERVED=1"

// Asked reports whether a program's arguments ask it to be a worker.
func Asked(argv []string) bool { return len(argv) >= 2 && argv[1] == wire.Verb }

// Main plays the worker and exits. argv is the program's own.
func Main(argv []string) {
	names, err := narrowed(argv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "deliveryboy worker: %v\n", err)
		os.Exit(exitUsage)
	}
	guardian := underGuard()
	link, err := takeStdio()
	if err != nil {
		fmt.Fprintf(os.Stderr, "deliveryboy worker: cannot take over its stdio: %v\n", err)
		os.Exit(exitOS)
	}
	if guardian != nil {
		go func() { // ends with the process: nothing privileged runs without its guardian
			guardian.lost()
			endTree()
			link.exit(exitUnavailable)
		}()
	}
	link.exit(run(link, guardian, names))
}

// narrowed reads the worker's argv, which has exactly two forms: a sudoers rule may name it to the letter.
func narrowed(argv []string) ([]string, error) {
	switch {
	case len(argv) == 2:
		return nil, nil
	case len(argv) != 3:
		return nil, fmt.Errorf("%d arguments: %s takes at most a list of function names", len(argv)-1, wire.Verb)
	}
	names := strings.Split(argv[2], ",")
	for _, name := range names {
		if err := registry.CheckName(name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// run goes through a worker's life and returns its exit code.
func run(link *stdio, guardian *ward, names []string) int {
	isolate()
	door, err := accept(link)
	if err != nil {
		link.say(err)
		return exitProtocol
	}
	hello := introduce(door, link)
	grace, err := settle(&door.Preamble)
	if err != nil {
		hello.Refusal, hello.Code = err.Error(), exitUnavailable
		var bad *settingError
		if errors.As(err, &bad) {
			hello.Code = exitData
		}
		if err := door.Refuse(hello); err != nil {
			link.say(err)
		}
		return hello.Code
	}
	guardian.say(sayGrace, grace)
	guardian.beats(door.Preamble.Heartbeat)
	s := &server{io: link, names: names, grace: grace, preamble: &door.Preamble}
	if s.wire, err = door.Admit(hello, link.eightBit); err != nil {
		link.say(err)
		return exitProtocol
	}
	return s.serve()
}

// accept waits for the preamble, but not for ever: nobody may leave a root process waiting on a pipe.
func accept(link *stdio) (*wire.Door, error) {
	timer := time.AfterFunc(preambleTimeout, func() {
		link.say(fmt.Errorf("no preamble came within %s: a worker is started by deliveryboy, not by hand", preambleTimeout))
		link.exit(exitProtocol)
	})
	defer timer.Stop()
	door, err := wire.Accept(link.reader(), link.out, wire.Options{Descriptors: link.socket})
	if errors.Is(err, io.EOF) {
		return nil, errors.New("stdin ended without a preamble: a worker is started by deliveryboy, not by hand")
	}
	if door != nil && err != nil {
		refusal := &wire.Hello{Refusal: err.Error(), Code: exitProtocol}
		if err := door.Refuse(refusal); err != nil {
			return nil, err
		}
	}
	return door, err
}

// introduce says who is here. If the caller's registry is another, it gets the list of functions to see why.
func introduce(door *wire.Door, link *stdio) *wire.Hello {
	h := &wire.Hello{
		Build: build.ID(), Registry: registry.Fingerprint(),
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(),
	}
	h.Host, _ = os.Hostname()
	h.Descriptors = link.socket != nil && door.Preamble.Descriptors
	if h.Registry != door.Preamble.Registry {
		h.Functions = registry.Layouts()
	}
	return h
}

// permits reports whether a worker that is narrowed to names runs a function.
func permits(names []string, name string) bool {
	return len(names) == 0 || slices.Contains(names, name)
}
