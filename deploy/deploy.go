// Package deploy brings this program to a far side that does not have it, over the same transport that would start it
// there. The far side needs sh and a few of the tools that every system has, busybox for instance.
//
// It is switched on by an option of delivery.Once and session.Options:
//
//	web, err := delivery.Open(ctx, via, session.Options{Deploy: deploy.Options{On: true}})
//
// What runs there at first is a fixed script. It looks for the program under its SHA-256 in a directory of the far user's
// alone, such as ~/.cache/deliveryboy/bin, and becomes it. If it is not there, this side sends it, compressed; the script
// checks what came, tries it, moves it to its place in one step, and becomes it. The next call finds it and sends nothing.
// As the far side then runs this very file, another version that is installed there does not matter.
//
// SPEC.md in this folder tells the places, the checks and what both sides say. [Prepare] and [Plan] are for package
// session.
//
// # Limits
//
// The first way there has to pass all bytes: no terminal may be in between. The program must be static, or the far side
// have the libraries. Nothing removes programs of earlier builds from the cache. A rule in sudoers that allows no more than
// this program does not allow the script: bring the program there by hand then, and name it in Program.
package deploy

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Options say whether and how the program is brought to the far side. The zero value is: not at all.
type Options struct {
	// On looks for the program on the far side, and brings it there if it is missing. The other fields need it.
	On bool

	// Cache is the directory for the program on the far side, an absolute path; it is made, with its parents, if it is not
	// there. It has to be the far user's alone. Empty: the first that can be used of /var/cache/deliveryboy (root), the
	// user's cache directory, $XDG_RUNTIME_DIR, /dev/shm and /tmp.
	Cache string

	// KeepNothing removes what it brought before the program runs; each call brings it again. A program that is in the
	// cache already is used, and stays. Linux only.
	KeepNothing bool

	// Bundle are the files of this same program for other systems, by GOOS/GOARCH, such as "linux/arm64". An entry for
	// this system goes before the file that runs here.
	Bundle map[string]string
}

// Check says what is wrong with the options, before anything is started.
func (o Options) Check() error {
	if !o.On && (o.Cache != "" || o.KeepNothing || len(o.Bundle) > 0) {
		return fmt.Errorf("deploy: options without On: set it, or leave the others out")
	}
	if o.Cache != "" && (!path.IsAbs(o.Cache) || path.Clean(o.Cache) != o.Cache || o.Cache == "/") {
		return fmt.Errorf("deploy: cache %.1024q: a clean absolute path of a directory is needed", o.Cache)
	}
	if strings.ContainsAny(o.Cache, "\x00\n\t") {
		return fmt.Errorf("deploy: cache %.1024q: tabs, line feeds and NUL are not possible", o.Cache)
	}
	for _, system := range slices.Sorted(maps.Keys(o.Bundle)) {
		goos, arch, ok := strings.Cut(system, "/")
		if !ok || goos == "" || arch == "" || strings.Contains(arch, "/") {
			return fmt.Errorf("deploy: bundle: %.80q is not of the form GOOS/GOARCH, such as linux/arm64", system)
		}
		if o.Bundle[system] == "" {
			return fmt.Errorf("deploy: bundle: no file for %s", system)
		}
	}
	return nil
}

// A Result says what was done.
type Result struct {
	Path   string // the program on the far side; empty if nothing of it was kept
	Pushed bool   // it was not there
	Sent   int64  // bytes of the program that were sent, compressed; of several tries, all of them
	Build  string // the build that runs there, as internal/build has it
}
