package session

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeSize lets a large argument or result move in fewer and larger pieces than the 64 KiB that a pipe has by itself.
const pipeSize = 1 << 20

// widen enlarges a pipe. The system may refuse, to a user who has many: then it stays as it is.
func widen(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	}
}

// enlarge gives a socket as large a buffer as the system allows.
func enlarge(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, pipeSize) }

// socketpair returns both ends of a unix socket. They are not passed on to other programs.
func socketpair() (theirs, ours *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs, ours = pairOf(fds)
	return theirs, ours, nil
}
