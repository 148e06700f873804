// Package deploy brings this program to a far side that does not have it, over the same transport that would start it
// there. The far side needs sh and a few of the tools that every system has, busybox for instance.
//
// It is switched on by an option of delivery.Once and session.Options:
//
//	web, err := delivery.Open(ctx, via, session.Options{Deploy: deploy.Options{On: true}})
//
// What runs there at first is a fixed script. It looks for the program under its SHA-256 in a directory of the far user's
// alone, such as ~/.cache/deliveryboy/bin, and becomes it. If it is not there, this side sends it, compressed if the way is
// slow; the script checks what came, tries it, moves it to its place in one step, and becomes it. The next call finds it and sends nothing.
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

	// Bundle is a file that deliveryboy pack has made: this program for several systems. Which one the far side needs is
	// what its uname says. The file has to be root's or this user's alone, as have the directories on the way to it, and
	// must be of this program; what is in it is checked before it is sent. See SPEC.md, section 6.
	Bundle string

	// Programs are single files of this same program for other systems, by GOOS/GOARCH, such as "linux/arm64". They go
	// before those of Bundle, and these before the file that runs here.
	//
	// Without On, Bundle and Programs bring nothing: they say which other builds may serve where they were installed by hand,
	// one for each system. All others are refused, unless AnyBuild of the session is set.
	Programs map[string]string
}

// Check says what is wrong with the options, before anything is started.
func (o Options) Check() error {
	if !o.On && (o.Cache != "" || o.KeepNothing) {
		return fmt.Errorf("deploy: options without On: set it, or leave the others out")
	}
	if o.Cache != "" && (!path.IsAbs(o.Cache) || path.Clean(o.Cache) != o.Cache || o.Cache == "/") {
		return fmt.Errorf("deploy: cache %.1024q: a clean absolute path of a directory is needed", o.Cache)
	}
	if strings.ContainsAny(o.Cache, "\x00\n\t") {
		return fmt.Errorf("deploy: cache %.1024q: tabs, line feeds and NUL are not possible", o.Cache)
	}
	for _, system := range slices.Sorted(maps.Keys(o.Programs)) {
		if err := CheckSystem(system); err != nil {
			return err
		}
		if o.Programs[system] == "" {
			return fmt.Errorf("deploy: programs: no file for %s", system)
		}
	}
	return nil
}

// maxSystem is how long a name such as linux/arm64 may be, in bytes.
const maxSystem = 40

// CheckSystem says what is wrong with the name of a system, which is GOOS/GOARCH.
func CheckSystem(system string) error {
	goos, arch, _ := strings.Cut(system, "/")
	if !plainName(goos) || !plainName(arch) || len(system) > maxSystem {
		return fmt.Errorf("deploy: system %.80q: is not of the form GOOS/GOARCH, such as linux/arm64", system)
	}
	return nil
}

func plainName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// A Result says what was done.
type Result struct {
	Path   string // the program on the far side; empty if nothing of it was kept
	Pushed bool   // it was not there
	Sent   int64  // bytes of the program that were sent, as they were sent; of several tries, all of them
	Build  string // the build that runs there, as internal/build has it
}
