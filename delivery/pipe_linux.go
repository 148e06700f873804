package delivery

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
