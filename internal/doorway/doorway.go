// Package doorway opens unix sockets at paths that others may try to take, and takes over only what is dead.
package doorway

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

// ErrTaken says that another server listens on that socket.
var ErrTaken = errors.New("another server is there")

// ErrSilent comes with ErrTaken where that server has the lock, and neither listened nor ended for a while.
var ErrSilent = errors.New("it has the lock, and does not listen; it may be stopped")

// Open opens the socket. The lock beside it, held for as long as it is open, keeps two servers from taking it for a dead
// one's at once. Guests says that other users are to reach it: the mode is then 0666, else 0600.
func Open(path string, guests bool) (l *net.UnixListener, lock *os.File, err error) {
	if err := CheckDir(filepath.Dir(path), guests); err != nil {
		return nil, nil, err
	}
	lock, err = OpenLock(path + ".lock")
	if err != nil {
		return nil, nil, err
	}
	err = take(lock, path)
	if err == nil {
		err = Clear(path)
	}
	if err == nil {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	}
	if err == nil {
		err = os.Chmod(path, modeFor(guests, 0o600, 0o666))
	}
	if err != nil {
		lock.Close()
		if l != nil {
			_ = l.Close()
		}
		return nil, nil, fmt.Errorf("socket %q: %w", path, err)
	}
	return l, lock, nil
}

// OpenLock opens a file that is there to be locked, or makes it. Where others may make files, too, as in /tmp, it may be
// somebody else's, who could keep it locked for ever; that is an error.
func OpenLock(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := lock.Stat()
	if err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() || !info.Mode().IsRegular() {
			err = fmt.Errorf("lock %q: it is no file of this user's, and others could keep it locked; remove it, or choose a directory of your own", path)
		}
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// comesOrGoes is how long a server may have the lock and not listen: it starts, or ends.
const comesOrGoes = 10 * time.Second

// take locks the lock. One that is held by a server that does not listen is waited for: it will, or will be gone.
func take(lock *os.File, path string) error {
	raw, err := lock.SyscallConn()
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(comesOrGoes); ; time.Sleep(10 * time.Millisecond) { // a lock has no way to tell
		failed := raw.Control(func(fd uintptr) { err = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
		switch {
		case failed != nil:
			return failed
		case !errors.Is(err, unix.EWOULDBLOCK):
			return err
		case listens(path):
			return ErrTaken
		case time.Now().After(deadline):
			return fmt.Errorf("%w: %w", ErrTaken, ErrSilent)
		}
	}
}

// listens reports whether a server listens at path.
func listens(path string) bool {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		conn.Close()
		return true
	}
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED)
}

// modeFor is a file's mode. Where there are guests, they can reach the socket; who they are is looked at when they connect.
func modeFor(guests bool, closed, open fs.FileMode) fs.FileMode {
	if guests {
		return open
	}
	return closed
}

// A DirError is a directory that a socket cannot be in.
type DirError struct {
	Dir, Why string
	Err      error // of the system; may be nil
}

func (e *DirError) Error() string {
	text := fmt.Sprintf("directory %q: %s", e.Dir, e.Why)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *DirError) Unwrap() error { return e.Err }

// CheckDir makes the directory, and refuses one in which somebody else could put another socket in the place of ours, or that
// somebody could replace: in one that they can write to, or whose links are theirs. What it would be in has to be there, and
// is not the root directory: a path with a slip of the pen is not made. Errors are of type *[DirError].
func CheckDir(dir string, guests bool) error {
	if err := checkWay(filepath.Dir(dir)); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := checkWay(dir); err != nil {
			return err
		}
		info, err = os.Stat(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(dir, guests); err != nil {
			return err
		}
		info, err = os.Stat(dir)
	}
	if err != nil {
		return &DirError{dir, "it cannot be looked at", err}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return &DirError{dir, "it is not a directory", nil}
	case !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return &DirError{dir, "it belongs to another user", nil}
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return &DirError{dir, fmt.Sprintf("group or others can write to it (mode %04o)", info.Mode().Perm()), nil}
	}
	return nil
}

// checkWay refuses a directory that others than root and this user could replace. Whether it is there, others say.
func checkWay(dir string) error {
	path, err := filepath.Abs(dir)
	if err == nil {
		_, _, err = pathway.Walk(path, pathway.Own)
	}
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.As(err, new(*fs.PathError)):
		return &DirError{dir, "it cannot be looked at", err}
	}
	return &DirError{dir, "others could replace it", err}
}

// makeDir makes a directory that is not there, unless somebody else just did.
func makeDir(dir string, guests bool) error {
	if filepath.Dir(dir) == "/" {
		return &DirError{dir, "it is not there; make it, or choose a place such as /run", nil}
	}
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = os.Chmod(dir, modeFor(guests, 0o700, 0o711))
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &DirError{dir, "neither it nor its parent is there; make the parent", nil}
	case err != nil:
		return &DirError{dir, "it cannot be made", err}
	}
	return nil
}

// Clear removes the socket of a server that is dead, and nothing else.
func Clear(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if info.Mode()&fs.ModeSocket == 0 || !ok || int(st.Uid) != os.Geteuid() {
		return errors.New("what is there is no socket of this user's; it stays")
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	switch {
	case err == nil:
		conn.Close()
		return ErrTaken
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EPROTOTYPE): // it is full, or of another type
		return ErrTaken
	}
	return err
}
