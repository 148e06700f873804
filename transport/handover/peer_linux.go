package handover

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

func peerOf(fd int) (Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, err
	}
	groups, _ := groupsOf(fd) // a system that is too old to tell them: then they allow nothing
	return Peer{PID: int(cred.Pid), UID: int(cred.Uid), Groups: append(groups, int(cred.Gid))}, nil
}

// groupsOf are the supplementary groups of a peer. The package unix has no call for that.
func groupsOf(fd int) ([]int, error) {
	for list := make([]uint32, 64); ; {
		size := uint32(len(list) * 4)
		_, _, err := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errors.Is(err, unix.ERANGE) && int(size)/4 > len(list):
			list = make([]uint32, size/4)
			continue
		case err != 0:
			return nil, err
		}
		groups := make([]int, size/4)
		for i := range groups {
			groups[i] = int(list[i])
		}
		return groups, nil
	}
}

func replace(from, to int) error { return unix.Dup3(from, to, 0) }

// hungUp waits until nobody can write to a pipe or socket any more. It never reads. It returns false if that cannot be told.
func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	for {
		n, err := unix.Poll(fds, -1)
		if n > 0 || err != nil && err != unix.EINTR {
			return err == nil
		}
	}
}
