package process_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/process"
)

// Limits so tight that no Go program could run below them are set all the same: what becomes of the program is told, and
// nothing of the copy of this one that set them is seen.
func TestTightLimits(t *testing.T) {
	for _, name := range []string{"as", "data", "stack", "nofile", "fsize", "memlock", "sigpending"} {
		for _, n := range []uint64{0, 1, 1 << 12, 1 << 20} {
			c := process.Config{Cmdline: "/bin/true", Limits: map[string]process.Limit{name: {Soft: n, Hard: n}}}
			if os.Getuid() == 0 {
				c.User, c.Group = "65534", "65534"
			}
			x := newText()
			p, err := process.Start(c, process.Stdio{Stdout: x, Stderr: x})
			if err != nil {
				if !strings.Contains(err.Error(), "limit "+name) && !strings.Contains(err.Error(), "exec: ") {
					t.Errorf("%s %d: %v", name, n, err)
				}
				continue
			}
			if s := wait(t, p); strings.Contains(x.String(), "goroutine") || strings.Contains(x.String(), "runtime") || s.ExitCode() == 2 {
				t.Errorf("%s %d: %s, %q", name, n, &s, x)
			}
		}
	}
}

// A stream that is a closed file is refused: the first file that the program opens would take its place.
func TestClosedStreams(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for field, s := range map[string]process.Stdio{
		"stdin": {Stdin: f}, "stdout": {Stdout: f}, "stderr": {Stderr: (*os.File)(nil)},
	} {
		_, err := process.Start(process.Config{Cmdline: "true"}, s)
		var wrong *process.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field || !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
