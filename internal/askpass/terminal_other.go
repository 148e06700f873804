//go:build !linux

package askpass

import (
	"errors"
	"os"
)

// CanConduct reports whether a program can be started at a terminal of its own on this system.
const CanConduct = false

func openTerminal() (ours, theirs *os.File, err error) {
	return nil, nil, errors.New("this program can make a terminal on Linux only")
}

func echoes(*os.File) (bool, error) { return true, nil }

func silence(*os.File) error { return nil }

func enters(int) bool { return false }

func hide() {}
