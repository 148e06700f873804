//go:build !linux

package worker

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func isolate() {
	_, _ = syscall.Setsid() // a leader of a process group cannot; it stays
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

// closeInherited closes what a careless parent left open: see the Linux one. Here there is no list of descriptors.
func closeInherited() {
	for fd := 3; fd < 1024; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
}

func replace(from, to int) error { return unix.Dup2(from, to) }

func widen(*os.File, int) {}
