package worker

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolate takes the worker out of its caller's reach and keeps its children in its own. What a system does not allow is
// not needed for a call to be right, only for an attack to be harder: it goes on.
func isolate() {
	leaveTerminal()
	// Orphans of the function's children come here, not to process 1, so that endTree finds them.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	// A core file would hold arguments and results.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	if os.Getuid() == 0 {
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	}
}

// leaveTerminal starts a session of its own, away from the caller's terminal, its signals and its input queue
// (TIOCSTI). A leader of a process group cannot; it gives up the terminal instead. A leader of a session has nobody
// else's terminal: a transport made one for it.
func leaveTerminal() {
	if _, err := syscall.Setsid(); err == nil {
		return
	}
	if sid, err := unix.Getsid(0); err == nil && sid == os.Getpid() {
		return
	}
	if tty, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err == nil {
		_ = unix.IoctlSetInt(tty, unix.TIOCNOTTY, 0)
		_ = unix.Close(tty)
	}
}

// closeInherited closes what a careless parent left open. Descriptors that this program opened before now are marked
// close-on-exec, as Go's always are; inherited ones cannot be.
func closeInherited() {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return
	}
	names, _ := dir.Readdirnames(-1)
	dir.Close()
	for _, name := range names {
		fd, err := strconv.Atoi(filepath.Base(name))
		if err != nil || fd < 3 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
}

func replace(from, to int) error { return unix.Dup3(from, to, 0) }

// widen enlarges a pipe. The system may refuse, to a user who has many: then it stays as it is.
func widen(pipe *os.File, size int) {
	if raw, err := pipe.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
	}
}
