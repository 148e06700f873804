// Package target reads the file with the names that a user gave to specs:
//
//	[targets]
//	web1 = "ssh=deploy@web1//sudo"
//	db   = "ssh=gate//ssh=db1//sudo=postgres"
//	db2  = "via=web1//ssh=db2"
//
// A spec can make ssh or sudo run other programs, so the file is trusted like a command line: nobody but its user and root
// may be able to change it, and nothing in it is guessed at.
package target

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/transport"
)

// maxFile is how long the file may be, in bytes.
const maxFile = 1 << 20

// name is what a target can be called. Case does not tell two apart, so there are only small letters.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// CheckName says what is wrong with the name of a target: its form, or that it means something else in a spec.
func CheckName(s string) error {
	if !name.MatchString(s) {
		return errors.New("it is no name; write 1 to 64 small letters, digits, dots, dashes and underscores")
	}
	if reserved(s) || s == strings.TrimSuffix(Via, "=") {
		return errors.New("it would be hidden by the key of specs that is called so; choose another name")
	}
	return nil
}

// reserved reports whether a word already means something in a spec.
func reserved(s string) bool {
	spec, err := transport.ParseLax("self//" + s)
	return err != nil || len(spec.Extra) == 0
}

// An Error is a file that cannot be trusted or understood. Nothing of it is used.
type Error struct {
	File string
	Line int // 0 if it is about the file as a whole
	Why  string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("targets: %s: %s", e.File, e.Why)
	}
	return fmt.Sprintf("targets: %s:%d: %s", e.File, e.Line, e.Why)
}

// File is where the file of this user is: below $XDG_CONFIG_HOME, or ~/.config. It is empty if neither is known.
func File() string {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		home := os.Getenv("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "deliveryboy", "targets.toml")
}

// Targets are specs by name.
type Targets map[string]string

// Names are the names, sorted.
func (t Targets) Names() []string { return slices.Sorted(maps.Keys(t)) }

// Read reads a file. A file that is not there is an error that is fs.ErrNotExist; all others are of type *[Error].
func Read(path string) (Targets, error) {
	text, err := trusted(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*Error)) {
			return nil, err
		}
		return nil, &Error{File: path, Why: err.Error()}
	}
	return parse(path, text)
}
