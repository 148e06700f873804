package doctor

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// limits looks at the resource limits that the worker has been given. The hard ones count: a Go program raises the number
// of files that it may open by itself.
func limits() []Finding {
	var found []Finding
	for _, l := range []struct {
		resource int
		name     string
		least    uint64
		hard     bool
		what     string
	}{
		{unix.RLIMIT_NOFILE, "nofile", 256, true, "sessions with many calls run out of open files"},
		{unix.RLIMIT_FSIZE, "fsize", 1 << 30, false, "files of jobs and functions cannot grow longer, and what writes more is killed"},
		{unix.RLIMIT_AS, "as", 1 << 30, false, "a Go program may not get the memory that it reserves"},
		{unix.RLIMIT_NPROC, "nproc", 64, false, "workers may not get threads and processes"},
		{unix.RLIMIT_CPU, "cpu", 60, false, "a worker is killed after so many seconds of work"},
		{unix.RLIMIT_STACK, "stack", 128 << 10, false, "programs that functions start may crash"},
	} {
		var r unix.Rlimit
		if unix.Getrlimit(l.resource, &r) != nil {
			continue
		}
		limit := r.Cur
		if l.hard {
			limit = r.Max
		}
		if limit >= l.least || limit == math.MaxUint64 || l.resource == unix.RLIMIT_NPROC && privileged() {
			continue
		}
		found = append(found, Finding{Check: checkLimits, Severity: Warning,
			What: fmt.Sprintf("the limit %s is %d: %s", l.name, limit, l.what),
			Fix:  fmt.Sprintf("Raise it to %d at least: in limits.conf(5), in the unit of the service that starts the caller or sshd, or by prlimit.", l.least)})
	}
	return found
}
