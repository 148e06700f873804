package ways

import (
	"bytes"
	"errors"
	"os/exec"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
)

// A Failure is a transport that cannot start a program, and what Diagnose has to call that.
type Failure struct {
	Via     transport.Transport
	Program string
	Reason  string
}

// Diagnose has each failure happen, and looks that the last hop is blamed for the right reason, with advice.
func Diagnose(t *testing.T, failures []Failure) {
	t.Helper()
	for _, f := range failures {
		argv, err := transport.Build(f.Via, []string{f.Program})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		var ended *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		exit := transport.Exit{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
		hops := transport.Hops(f.Via)
		hop := hops[len(hops)-1].String()
		if got := transport.Diagnose(f.Via, exit); got.Reason != f.Reason || got.Hop != hop || got.Advice == "" {
			t.Errorf("%s %s: %+v gave %+v, want %q at %s", f.Via, f.Program, exit, got, f.Reason, hop)
		}
	}
}
