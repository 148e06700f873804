package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
)

// terminal is where the command reads from and writes to.
type terminal struct {
	in, out, err *os.File
	started      bool // a command runs: its errors are not about the command line
	verbose      bool // show all that is known about an error

	targetsFile string      // with the names of targets; empty for the user's own
	vias        []*specFlag // the flags --via
}

func newTerminal(in, out, err *os.File) *terminal { return &terminal{in: in, out: out, err: err} }

// report writes an error: one line, and more of them only if that is asked for.
func (t *terminal) report(err error) {
	if errors.As(err, new(*programError)) && !t.verbose {
		return
	}
	fmt.Fprintf(t.err, "deliveryboy: %s\n", plain.Cut(message(err), maxMessage))
	if !t.verbose {
		return
	}
	if detail := detailOf(err); detail != "" {
		fmt.Fprintln(t.err, plain.Text(detail))
	}
}

// detailOf is what is known about an error beside its text: what it says itself, or the one that came from elsewhere.
func detailOf(err error) string {
	causes := []error{err}
	if remote := remoteOf(err); remote != nil {
		causes = append(causes, remote)
	}
	if d := deliveryOf(err); d != nil {
		causes = append(causes, d)
	}
	for _, cause := range causes {
		if detail := strings.Trim(strings.TrimPrefix(fmt.Sprintf("%+v", cause), cause.Error()), "\n"); detail != "" {
			return detail
		}
	}
	return ""
}

// maxMessage is how long the line about an error may be, in bytes: a far side can make its text as long as it likes.
const maxMessage = 4 << 10

// passOn returns a writer to f for what a function writes, and a call for when no more comes. People see control
// characters by number; programs, and people who ask for it, get each byte.
func passOn(f *os.File, raw bool) (w io.Writer, flush func() error) {
	if raw || !plain.IsTerminal(f) {
		return f, func() error { return nil }
	}
	safe := plain.NewWriter(f)
	return safe, safe.Flush
}
