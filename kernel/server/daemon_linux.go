package server

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func onto(from, to int) error { return unix.Dup3(from, to, 0) }

// closeStrays closes what the starter's own starter left open by mistake: all that this process did not open itself, which
// closes on exec, and that it was not given.
func closeStrays(given int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 || fd == given {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
}
