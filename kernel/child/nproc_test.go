//go:build linux

package child

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// opened is how many descriptors this process has.
func opened(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func stateOf(pid int) string {
	if f := holder.StatOf(pid); len(f) > 0 {
		return string(f[0])
	}
	return ""
}

// TestNoMoreProcesses: a process that the system does not let start leaves nothing behind, neither a name nor a file nor a
// descriptor, and can be started later. The limit is that of one user, of whom nothing else runs.
func TestNoMoreProcesses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: needs root, to be nobody else's user")
	}
	table := open(t)
	const nobody = 54321
	uid := nobody
	spec := sh("a", "exit 0")
	spec.UID, spec.Limits = &uid, map[string]uint64{"nproc": 0}
	spec.Args = []string{"/bin/sleep", "300"}
	if i, err := table.run(spec); err == nil || !strings.Contains(err.Error(), "resource temporarily unavailable") {
		t.Errorf("a limit of its own: %+v, %v", i, err)
	}
	before := opened(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: uint64(before + 2), Max: limit.Max} // not enough for its pipes
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	_, err := table.run(sh("b", "exit 3"))
	if again := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); again != nil {
		t.Fatal(again)
	}
	if err == nil || !strings.Contains(err.Error(), "too many open files") {
		t.Errorf("without descriptors: %v", err)
	}
	if n := table.Count(); n != 0 {
		t.Errorf("%d processes are left", n)
	}
	if names, err := table.dir.names(); err != nil || len(names) > 0 {
		t.Errorf("%q are left, %v", names, err)
	}
	eventually(t, "its descriptors are closed", func() bool { return opened(t) <= before })
	table.must(t, sh("b", "exit 3"))
	if got := drainAll(t, table.watch(t, "", "b"))["b"]; got.code != 3 {
		t.Errorf("%+v", got)
	}
}

// TestStopped: a process that is stopped is no process that has ended, and ends when it is told to.
func TestStopped(t *testing.T) {
	table := open(t)
	spec := sh("a", "")
	spec.Args = []string{"/bin/sleep", "300"} // a shell could be stopped while it waits for a child that has not begun
	i := table.must(t, spec)
	if err := table.Signal(0, patterns(t, "a"), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is stopped", func() bool { return stateOf(i.PID) == "T" })
	if got := table.List(0, nil); len(got) != 1 || !got[0].Running {
		t.Errorf("%+v", got)
	}
	if err := table.Stop(short(t), 0, patterns(t, "a"), 100*time.Millisecond); err != nil { // SIGTERM waits, SIGKILL does not
		t.Fatal(err)
	}
	if got := drainAll(t, table.watch(t, "", "a"))["a"]; got.code != -int(unix.SIGKILL) {
		t.Errorf("%+v", got)
	}
}
