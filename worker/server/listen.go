package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrServed says that another server listens on that socket.
var ErrServed = errors.New("another server is there")

// listen opens the socket. The lock beside it, held for as long as it is open, keeps two servers from taking it for a dead
// one's at once.
func listen(path string, guests bool) (l *net.UnixListener, unlock func(), err error) {
	if err := checkDir(filepath.Dir(path), guests); err != nil {
		return nil, nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("server: %w", err)
	}
	raw, err := lock.SyscallConn()
	if err == nil {
		failed := raw.Control(func(fd uintptr) { err = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
		err = errors.Join(err, failed)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrServed
	}
	if err == nil {
		err = clear(path)
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
		return nil, nil, fmt.Errorf("server: socket %q: %w", path, err)
	}
	return l, func() { lock.Close() }, nil
}

// modeFor is a file's mode. Where there are guests, they can reach the socket; who they are is looked at when they connect.
func modeFor(guests bool, closed, open fs.FileMode) fs.FileMode {
	if guests {
		return open
	}
	return closed
}

// checkDir makes the directory, and refuses one in which somebody else could put another socket in the place of ours.
func checkDir(dir string, guests bool) error {
	if err := os.Mkdir(dir, 0o700); err == nil {
		if err := os.Chmod(dir, modeFor(guests, 0o700, 0o711)); err != nil {
			return fmt.Errorf("server: %w", err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("server: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("server: %q: is not a directory", dir)
	case !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("server: directory %q: it belongs to another user", dir)
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("server: directory %q: group or others can write to it (mode %04o)", dir, info.Mode().Perm())
	}
	return nil
}

// clear removes the socket of a server that is dead, and nothing else.
func clear(path string) error {
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
		return ErrServed
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	case errors.Is(err, syscall.EAGAIN): // it has more connections than it takes
		return ErrServed
	}
	return err
}
