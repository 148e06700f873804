package target

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

// trusted reads a file that only this user and root can change: it, and each directory and link on the way.
func trusted(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	_, _, err = pathway.Walk(filepath.Dir(abs), func(at string, info fs.FileInfo) error {
		if why := changeable(info, at); why != "" {
			return &Error{File: path, Why: why}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(abs, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) { // the latter on FreeBSD
		return "", &Error{File: path, Why: "it is a symbolic link; put the file itself there"}
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	switch {
	case !info.Mode().IsRegular():
		return "", &Error{File: path, Why: "it is no regular file"}
	case info.Size() > maxFile:
		return "", &Error{File: path, Why: fmt.Sprintf("it has %d bytes; at most %d are allowed", info.Size(), maxFile)}
	}
	if why := changeable(info, abs); why != "" {
		return "", &Error{File: path, Why: why}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		return "", &Error{File: path, Why: fmt.Sprintf("it has more than %d bytes", maxFile)}
	}
	return string(text), err
}

// changeable says who else can change a file, link or directory. In a directory with the sticky bit, such as /tmp, others
// cannot replace what is not theirs. A link has no mode of its own.
func changeable(info fs.FileInfo, path string) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "the owner of " + path + " is unknown"
	}
	if me := os.Geteuid(); stat.Uid != 0 && int(stat.Uid) != me {
		return fmt.Sprintf("%s is owned by uid %d; it should be yours or root's", path, stat.Uid)
	}
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	if info.Mode().Perm()&0o022 != 0 && !sticky && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Sprintf("%s is writable by group or others (mode %04o); run: chmod go-w %s", path, info.Mode().Perm(), path)
	}
	return ""
}
