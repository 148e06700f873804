package pool

import (
	"net"

	"golang.org/x/sys/unix"
)

// gone waits, after the end of what a client says, until it is gone, or a deadline of the connection's, and reports which. Who
// has said all it wants may still listen.
func gone(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	return raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd)}} //nolint:gosec // a descriptor is no larger
		_, err := unix.Poll(fds, 0)
		return err == nil && fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	}) == nil
}
