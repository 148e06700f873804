package askpass

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// furnish puts this program into the directory of a desk, under the names of its parts: as links, or as a copy if its file
// has no name any more. What was brought here for once does not keep one.
func furnish(dir string) error {
	helper, terminal := filepath.Join(dir, helperName), filepath.Join(dir, terminalName)
	program, err := os.Executable()
	if err != nil {
		return err
	}
	switch _, err = os.Stat(program); {
	case err == nil:
		return errors.Join(os.Symlink(program, helper), os.Symlink(program, terminal))
	case errors.Is(err, fs.ErrNotExist):
		return errors.Join(copyOf("/proc/self/exe", helper), os.Symlink(helper, terminal))
	}
	return err
}

func copyOf(program, file string) error {
	from, err := os.Open(program)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
