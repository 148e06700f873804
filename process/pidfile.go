package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPIDFile is how much of a file is read: a number, and a line break.
const maxPIDFile = 32

// A RunningError says that the process of a pid file runs.
type RunningError struct {
	Path string
	PID  int
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("process: pid file %q: process %d runs; stop it, or remove the file if it is another one's", e.Path, e.PID)
}

// WritePIDFile puts the number of a process into a file that others find it by, in one step. A file of a process that runs is
// left as it is, and the error is a *[RunningError]; what is no number, or that of none that runs, is replaced. Those who write
// the same file at the same time take turns, as long as they use this function.
func WritePIDFile(path string, pid int) error {
	return locked(path, func() error {
		switch old, err := ReadPIDFile(path); {
		case err == nil && old != pid && runs(old):
			return &RunningError{path, old}
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, strconv.ErrSyntax):
			return err
		}
		f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
		if err != nil {
			return fmt.Errorf("process: pid file %q: %w", path, err)
		}
		_, err = fmt.Fprintln(f, pid)
		if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			os.Remove(f.Name())
			return fmt.Errorf("process: pid file %q: %w", path, err)
		}
		return nil
	})
}

// ReadPIDFile reads the number in a pid file. An error that is strconv.ErrSyntax says that there is none in it.
func ReadPIDFile(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("process: pid file %q: %w", path, err)
	}
	defer f.Close()
	text := make([]byte, maxPIDFile)
	n, _ := f.Read(text)
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text[:n])))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("process: pid file %q: it holds no process number: %w", path, strconv.ErrSyntax)
	}
	return pid, nil
}

// RemovePIDFile removes a pid file if it is that of the process. One that is not, or is not there, is no error.
func RemovePIDFile(path string, pid int) error {
	return locked(path, func() error {
		old, err := ReadPIDFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, strconv.ErrSyntax) || err == nil && old != pid {
			return nil
		}
		if err == nil {
			err = os.Remove(path)
		}
		return err
	})
}

// runs reports whether a process has a number.
func runs(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// locked calls f while nobody else does for a file of the same directory.
func locked(path string, f func() error) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("process: pid file %q: %w", path, err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("process: pid file %q: lock: %w", path, err)
	}
	return f()
}
