package transport

import (
	"fmt"
	"strings"
)

// maxArgument is the longest single argument that Linux passes to a program, in bytes without the closing NUL.
const maxArgument = 131071

// maxShown is how many bytes of a foreign value an error shows.
const maxShown = 80

// checkArgv says why argv cannot be passed to a program at all.
func checkArgv(argv []string) error {
	if len(argv) == 0 {
		return fmt.Errorf("transport: argv is empty; give at least the program to run")
	}
	if argv[0] == "" {
		return fmt.Errorf("transport: argv[0] is empty; give the program to run")
	}
	for i, word := range argv {
		what := fmt.Sprintf("argv[%d]", i)
		if strings.IndexByte(word, 0) >= 0 {
			return invalid(what, word, "contains a NUL byte, which no program can receive")
		}
		if len(word) > maxArgument {
			return invalid(what, word, fmt.Sprintf("is %d bytes long; one argument may have %d, send data on stdin",
				len(word), maxArgument))
		}
	}
	return nil
}

// invalid is the error for a field or argument with a bad value.
func invalid(what, value, why string) error {
	return fmt.Errorf("transport: %s %s: %s", what, shown(value), why)
}

// shownByte is one byte of a foreign value: %q would print 0xe4 as a letter.
func shownByte(c byte) string {
	if c < 0x80 {
		return fmt.Sprintf("%q", c)
	}
	return fmt.Sprintf("%#02x", c)
}

// shown is a value from outside, safe to print and cut to a readable length.
func shown(value string) string {
	if len(value) > maxShown {
		return fmt.Sprintf("%q…", value[:maxShown])
	}
	return fmt.Sprintf("%q", value)
}
