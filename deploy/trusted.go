package deploy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

// openTrusted opens a file that only root and this user can have written, and returns its size. What it holds will run
// elsewhere, maybe as root.
func openTrusted(file string) (f *os.File, size int64, err error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, 0, err
	}
	path, _, err = pathway.Walk(path, func(at string, info os.FileInfo) error {
		if !info.IsDir() && info.Mode()&os.ModeSymlink == 0 {
			return nil // looked at when it is open
		}
		return alone(at, info)
	})
	if err != nil {
		return nil, 0, err
	}
	f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err == nil {
		err = alone(path, info)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// alone says if others than root and this user can change a file, or what is in a directory. In one with the sticky bit,
// such as /tmp, others cannot replace what is not theirs. A link has no mode of its own.
func alone(path string, info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch me := os.Geteuid(); {
	case !ok:
		return fmt.Errorf("the owner of %q is not known", path)
	case stat.Uid != 0 && int64(stat.Uid) != int64(me):
		return fmt.Errorf("%q belongs to uid %d, and should to root or to uid %d: who owns it could put another program there", path, stat.Uid, me)
	case info.Mode().Perm()&0o022 != 0 && !(info.IsDir() && info.Mode()&os.ModeSticky != 0) && info.Mode()&os.ModeSymlink == 0:
		return fmt.Errorf("%q can be written to by others (mode %04o); take that right away with chmod go-w", path, info.Mode().Perm())
	}
	return nil
}
