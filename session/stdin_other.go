//go:build !linux

package session

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// widen does nothing here: these systems enlarge a busy pipe by themselves.
func widen(*os.File) {}

// enlarge gives a socket a buffer for many frames.
func enlarge(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 256<<10) }

// socketpair returns both ends of a unix socket. They are not passed on to other programs.
func socketpair() (theirs, ours *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	theirs, ours = pairOf(fds)
	return theirs, ours, nil
}
