package boxtest

import (
	"os/exec"
	"syscall"
	"testing"
)

// processCases are the failures of processes that really ran.
func processCases() []Case {
	return []Case{
		{Name: "a program that is not there",
			Make: func() error { return exec.Command("boxtest-no-such-program").Run() },
			also: all(is(exec.ErrNotFound), as(func(t testing.TB, got, own *exec.Error) { equal(t, "Error", *got, *own) }))},
		{Name: "exit status 3",
			Make: func() error { return exec.Command("sh", "-c", "exit 3").Run() },
			also: as(func(t testing.TB, got, own *exec.ExitError) {
				equal(t, "ExitCode", got.ExitCode(), 3)
				equal(t, "Exited", got.Exited(), true)
				equal(t, "Sys", got.Sys().(syscall.WaitStatus), own.Sys().(syscall.WaitStatus))
				equal(t, "a process id", got.Pid() > 0, true)
			})},
		{Name: "exit status 1 with words",
			Make: func() error { _, err := exec.Command("sh", "-c", "echo no disk >&2; exit 1").Output(); return err },
			also: as(func(t testing.TB, got, _ *exec.ExitError) { equal(t, "Stderr", string(got.Stderr), "no disk\n") })},
		{Name: "ended by a signal",
			Make: func() error { return exec.Command("sh", "-c", "kill -TERM $$").Run() },
			also: as(func(t testing.TB, got, _ *exec.ExitError) {
				status := got.Sys().(syscall.WaitStatus)
				equal(t, "ExitCode", got.ExitCode(), -1)
				equal(t, "Signaled", status.Signaled(), true)
				equal(t, "Signal", status.Signal(), syscall.SIGTERM)
				equal(t, "Exited", got.Exited(), false)
			})},
	}
}
