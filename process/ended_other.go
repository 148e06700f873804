//go:build !linux

package process

import (
	"errors"

	"golang.org/x/sys/unix"
)

// awaitEnd returns when a child has ended, and leaves it to be waited for: it reports that. waitid(2) with WNOWAIT would also
// tell, on macOS, that a child was stopped.
func awaitEnd(pid int) bool {
	queue, err := unix.Kqueue()
	if err != nil {
		return false // no descriptor is left, for instance
	}
	defer unix.Close(queue)
	unix.CloseOnExec(queue)
	want, got := make([]unix.Kevent_t, 1), make([]unix.Kevent_t, 1)
	unix.SetKevent(&want[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	want[0].Fflags = unix.NOTE_EXIT
	for {
		n, err := unix.Kevent(queue, want, got, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ESRCH): // it has ended; nobody else waits for it
			return true
		case err != nil:
			return false
		case n > 0 && got[0].Flags&unix.EV_ERROR != 0:
			return unix.Errno(got[0].Data) == unix.ESRCH
		case n > 0:
			return true
		}
	}
}
