package handover

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// A Peer is who is at the other end of a unix socket, as the system says it.
type Peer struct {
	PID    int // 0 where the system does not tell
	UID    int
	Groups []int
}

// PeerOf returns who connected, or who listens.
func PeerOf(conn *net.UnixConn) (p Peer, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return p, err
	}
	failed := raw.Control(func(fd uintptr) { p, err = peerOf(int(fd)) })
	if failed != nil {
		err = failed
	}
	return p, err
}

// harmless reports whether a file is a pipe or a unix socket.
func harmless(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	good := false
	err = raw.Control(func(fd uintptr) {
		var st unix.Stat_t
		if unix.Fstat(int(fd), &st) != nil {
			return
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFIFO:
			good = true
		case unix.S_IFSOCK:
			address, err := unix.Getsockname(int(fd))
			_, isUnix := address.(*unix.SockaddrUnix)
			good = err == nil && isUnix
		}
	})
	return err == nil && good
}
