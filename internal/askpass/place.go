package askpass

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// maxSocket is the longest path of a socket on every system.
const maxSocket = 103

// dirName is what the name of every place begins with.
const dirName = "deliveryboy-ask-"

// place makes a directory that only this user can enter, with a name that nobody can guess. The lock on it is held for as
// long as the file is open: without it, nobody is there any more.
func place() (dir string, lock *os.File, err error) {
	parents := []string{os.TempDir(), "/tmp"}
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); private(runtime) == nil {
		parents = append([]string{runtime}, parents...)
	}
	err = errors.New("no directory has a name that is short enough for a socket")
	for _, parent := range parents {
		dir = filepath.Join(parent, dirName+strings.ToLower(rand.Text()))
		if !filepath.IsAbs(dir) || len(dir)+1+len(socketName) > maxSocket {
			continue
		}
		if err = os.Mkdir(dir, 0o700); err != nil {
			continue
		}
		sweep(parent)
		if lock, err = locked(dir); err == nil {
			return dir, lock, nil
		}
		os.RemoveAll(dir)
	}
	return "", nil, err
}

// locked opens a directory that is this user's alone, and locks it.
func locked(dir string) (*os.File, error) {
	if err := private(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// left is how old a place has to be to be taken for one whose process was killed: it is locked right after it is made.
const left = time.Minute

// sweep takes away the places of processes that were killed.
func sweep(parent string) {
	names, _ := filepath.Glob(filepath.Join(parent, dirName+"*"))
	for _, dir := range names {
		if info, err := os.Lstat(dir); err != nil || time.Since(info.ModTime()) < left {
			continue
		}
		if lock, err := locked(dir); err == nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
}

// private refuses a directory that is not this user's alone.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || info.Mode()&fs.ModeSymlink != 0 || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("%.200q is not a directory of this user alone", dir)
	}
	return nil
}
