package askpass

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// peer is who is at the other end of a socket.
func peer(fd int) (uid, pid int, err error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return -1, 0, err
	}
	return int(cred.Uid), int(cred.Pid), nil
}

// descends reports whether a process is below another one. What cannot be seen is taken for a stranger.
func descends(pid, root int) bool {
	for range 64 { // the real depth is two or three; a loop can only come from numbers that change hands meanwhile
		if pid == root {
			return true
		}
		if pid = parent(pid); pid <= 1 {
			return false
		}
	}
	return false
}

func parent(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the name before may have blanks and brackets
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(fields[1]))
	return n
}

// shut keeps the answer out of core files, and other processes of the user out of this one.
func shut() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
