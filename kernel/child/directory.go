package child

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A directory is where the files of a kernel's processes are. Their names are those of processes, which hold no separator.
type directory struct{ file *os.File }

func openDirectory(path string) (directory, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return directory{}, err
	}
	file, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return directory{}, err
	}
	d := directory{file}
	if err := d.check(path); err != nil {
		d.close()
		return directory{}, err
	}
	return d, nil
}

// check refuses a directory that somebody else could write to, or that cannot do what output needs.
func (d directory) check(path string) error {
	info, err := d.file.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 || !mine(info) {
		return fmt.Errorf("directory %q: it must be this user's, and nobody else's to write to (mode %04o)", path, info.Mode().Perm())
	}
	const probe = ".probe"
	_ = d.remove(probe)
	f, err := d.open(probe, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if isFull(err) || errors.Is(err, unix.EROFS) {
		return nil // that cannot be tried now; a server that follows another one has to come up nevertheless
	}
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		_ = d.remove(probe)
	}()
	if err := canPunch(f); err != nil && !isFull(err) {
		return fmt.Errorf("directory %q: its file system cannot give back parts of files: %w; put it on tmpfs, ext4, xfs or btrfs", path, err)
	}
	return nil
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// open opens a file. One that is there, on a disk that is read-only, can be read; to write to it is EBADF, and it has to be
// opened again when the disk may have changed.
func (d directory) open(name string, flags int) (f *os.File, err error) {
	if f, err = d.openOnce(name, flags); errors.Is(err, unix.EROFS) && flags&os.O_CREATE == 0 {
		return d.openOnce(name, os.O_RDONLY)
	}
	return f, err
}

// openOnce does not look whether the file can be waited for, as os.OpenFile would: it is no pipe.
func (d directory) openOnce(name string, flags int) (f *os.File, err error) {
	failed := d.at(func(dir int) {
		var fd int
		if fd, err = unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600); err == nil {
			f = os.NewFile(uintptr(fd), name)
		}
	})
	return f, pathError("open", name, errors.Join(failed, err))
}

func (d directory) remove(name string) (err error) {
	failed := d.at(func(dir int) { err = unix.Unlinkat(dir, name, 0) })
	return pathError("remove", name, errors.Join(failed, err))
}

func (d directory) rename(from, to string) (err error) {
	failed := d.at(func(dir int) { err = unix.Renameat(dir, from, dir, to) })
	return pathError("rename", from, errors.Join(failed, err))
}

// at calls f with the directory's descriptor.
func (d directory) at(f func(dir int)) error {
	raw, err := d.file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: name, Err: err}
}

func (d directory) close() { d.file.Close() }

// names are the names of all files.
func (d directory) names() ([]string, error) {
	list, err := os.ReadDir(d.file.Name())
	names := make([]string, 0, len(list))
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, err
}

// records are the keys of the processes that have one.
func (d directory) records() (keys []string, err error) {
	names, err := d.names()
	for _, n := range names {
		if key, ok := strings.CutSuffix(n, extRecord); ok {
			keys = append(keys, key)
		}
	}
	return keys, err
}
