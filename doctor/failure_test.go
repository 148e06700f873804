package doctor

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestDeaths has what programs that could not start have said.
func TestDeaths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, check, what, fix string }{
		{"runtime: failed to create new OS thread (have 2 already; errno=11)\nruntime: may need to increase max user processes (ulimit -u)\nfatal error: newosproc\n", checkLimits, "no threads", "nproc"},
		{"runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\nrax 0x0\n", checkLimits, "no threads", "pids.max"},
		{"-bash: fork: retry: Resource temporarily unavailable\n", checkLimits, "no threads", "nproc"},
		{"fatal error: failed to reserve page summary memory\n\nruntime stack:\n\t/usr/local/go/src/runtime/proc.go:877\n", checkLimits, "no memory", "address space"},
		{"runtime: out of memory: cannot allocate 4194304-byte block (0 in use)\nfatal error: out of memory\n", checkLimits, "no memory", "memory.max"},
		{"/opt/app: error while loading shared libraries: libc.so.6: failed to map segment from shared object\n", checkLimits, "no memory", "address space"},
		{"/opt/app: error while loading shared libraries: libc.so.6: cannot open shared object file: Error 24\n", checkLimits, "may not open files", "nofile"},
		{"/opt/app: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /opt/app)\n", checkProgram, "a newer C library", "CGO_ENABLED=0"},
		{"/opt/app: error while loading shared libraries: libresolv.so.2: cannot open shared object file: No such file or directory\n", checkProgram, "libraries that are not there", "CGO_ENABLED=0"},
		{"deliveryboy worker: no preamble came within 30s: a worker is started by deliveryboy, not by hand\n", checkWorker, "reads what is sent to it", ".bashrc"},
	} {
		f, _ := fromError(&box.TransportError{Hop: "ssh=web1", ExitCode: 2, Stderr: "welcome\n" + c.said, Err: errors.New("no worker answered")})
		if f.Check != c.check || f.Severity != Error || !strings.Contains(f.What, c.what) || !strings.Contains(f.Fix, c.fix) || !strings.Contains(c.said, f.What[strings.Index(f.What, ": ")+2:]) {
			t.Errorf("%.60q: %+v", c.said, f)
		}
	}
	killed := &box.TransportError{Hop: "self", ExitCode: -1, Signal: "SIGKILL", Reason: transport.ReasonSignal + "; find out who", Err: errors.New("no worker answered")}
	if f, _ := fromError(killed); f.Check != checkWorker || !strings.Contains(f.What, "SIGKILL") || !strings.Contains(f.Fix, "out-of-memory") {
		t.Errorf("%+v", f)
	}
	if f, _ := fromError(&box.RemoteError{Kind: box.OutOfMemory, Msg: "worker was killed by the kernel's out-of-memory killer"}); !strings.Contains(f.Fix, "memory.max") {
		t.Errorf("%+v", f)
	}
	if f, _ := fromError(&box.VersionSkewError{Remote: "settings:12"}); !strings.Contains(f.What, "finds no /proc") {
		t.Errorf("%+v", f)
	}
}
