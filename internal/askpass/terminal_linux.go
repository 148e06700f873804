package askpass

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// CanConduct reports whether a program can be started at a terminal of its own on this system.
const CanConduct = true

// openTerminal makes a terminal, which controls no process yet. Reads of our end can be given a deadline.
func openTerminal() (ours, theirs *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("no terminal can be made: %w", &os.PathError{Op: "open", Path: "/dev/ptmx", Err: err})
	}
	ours = os.NewFile(uintptr(fd), "/dev/ptmx")
	err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	if err == nil {
		var n int
		if n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); err == nil {
			name := "/dev/pts/" + strconv.Itoa(n)
			if fd, err = unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err == nil {
				return ours, os.NewFile(uintptr(fd), name), nil
			}
		}
	}
	ours.Close()
	return nil, nil, fmt.Errorf("no terminal can be made: %w", err)
}

// echoes reports whether a terminal shows what is typed.
func echoes(tty *os.File) (bool, error) {
	t, err := attributes(tty, nil)
	return err == nil && t.Lflag&unix.ECHO != 0, err
}

// silence makes it show nothing.
func silence(tty *os.File) error {
	_, err := attributes(tty, func(t *unix.Termios) { t.Lflag &^= unix.ECHO | unix.ECHONL })
	return err
}

// attributes gets the settings of a terminal, and changes them.
func attributes(tty *os.File, change func(*unix.Termios)) (t *unix.Termios, err error) {
	raw, err := tty.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) {
		if t, err = unix.IoctlGetTermios(int(fd), unix.TCGETS); err == nil && change != nil {
			change(t)
			err = unix.IoctlSetTermios(int(fd), unix.TCSETS, t)
		}
	})
	if failed != nil {
		return nil, failed
	}
	return t, err
}

// enters reports whether a program that this user has started, or a process below it, has another user's id: not only the
// rights, which su has from the beginning. What may not be looked at does not count.
func enters(root int) bool {
	list, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	for _, e := range list {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && descends(pid, root) && stranger(pid) {
			return true
		}
	}
	return false
}

// stranger reports whether a process belongs to another user.
func stranger(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	_, ids, _ := strings.Cut(string(status), "\nUid:")
	fields := strings.Fields(ids)
	return len(fields) > 0 && fields[0] != strconv.Itoa(os.Getuid())
}

// hide keeps other processes of the user out of this one, and its memory out of core files. Limits would pass on to the
// worker.
func hide() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
