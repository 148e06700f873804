package store

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// errLocked says that somebody else has the lock.
var errLocked = errors.New("locked")

// lock takes the lock of a file without waiting. It belongs to the open file: whoever inherits that has it too, and it is
// free when the last of them is gone, for whatever reason.
func lock(f *os.File) error {
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return errLocked
	}
	return err
}

// isLocked reports whether somebody else has the lock. Asking does not take it, not even for a moment.
func isLocked(f *os.File) (bool, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l)
	return l.Type != unix.F_UNLCK, err
}

// reserve makes sure that a file can have so many bytes, which do not show yet.
func reserve(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, size))
	}
	return err
}
