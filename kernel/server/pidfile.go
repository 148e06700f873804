package server

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

// checkPIDFile refuses a file that another kernel has written which still runs, one that is no pidfile, and one that somebody
// else could change: who reads it signals the process that it names.
func checkPIDFile(path string) error {
	if _, _, err := pathway.Walk(filepath.Dir(path), pathway.Own); err != nil {
		return fmt.Errorf("kernel: pidfile %q: %w", path, err)
	}
	pid, err := readPIDFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("kernel: pidfile: %w", err)
	case pid != os.Getpid() && syscall.Kill(pid, 0) != syscall.ESRCH && isKernel(pid):
		return fmt.Errorf("kernel: pidfile %q: process %d runs, which is a kernel", path, pid)
	}
	return nil
}

// isKernel reports whether a process may be a kernel. Where that cannot be told, it is taken for one.
func isKernel(pid int) bool {
	cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return true
	}
	words := bytes.SplitN(cmdline, []byte{0}, 3)
	return len(words) > 1 && (string(words[1]) == detached.Verb || string(words[1]) == "kernel")
}

func readPIDFile(path string) (int, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() || info.Size() > 32 {
		return 0, fmt.Errorf("%q: it is no pidfile", path)
	}
	if err := pathway.Own(path, info); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return 0, fs.ErrNotExist
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("%q: it is no pidfile", path)
	}
	return pid, nil
}

// writePIDFile writes the file in one step.
func writePIDFile(path string, pid int) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".pid*")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, pid)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// removePIDFile removes the file, if it is still about this kernel.
func removePIDFile(path string, pid int) {
	if is, err := readPIDFile(path); err == nil && is == pid {
		os.Remove(path)
	}
}
