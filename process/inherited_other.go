//go:build !linux

package process

import "golang.org/x/sys/unix"

// keepInherited marks every descriptor above the first three. Files that are given to a child are marked otherwise in it.
func keepInherited() {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return
	}
	for fd := 3; fd < min(int(l.Cur), 4096); fd++ {
		unix.CloseOnExec(fd)
	}
}
