package session

import (
	"os"

	"golang.org/x/sys/unix"
)

// Both ends of the socket block. On a non-blocking one the runtime would wait for events, and each time that the worker
// reads, the system would wake this process to tell it that it may write: two context switches a call, for nothing.
// Shutting the socket down ends whatever blocks.

// pairOf makes files of a pair of sockets.
func pairOf(fds [2]int) (theirs, ours *os.File) {
	for _, fd := range fds {
		enlarge(fd)
	}
	return os.NewFile(uintptr(fds[0]), "stdin"), os.NewFile(uintptr(fds[1]), "stdin")
}

// shutdown ends all reads and writes of a socket. The other side reads what was written, and then the end.
func shutdown(socket *os.File) {
	if raw, err := socket.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}
