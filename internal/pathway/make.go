package pathway

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Make makes a directory, and those that it would be in, for this user alone. Unlike os.MkdirAll it makes nothing in places that
// others could change, see [Own], not even what is refused later.
func Make(dir string) error {
	_, info, err := Walk(dir, Own)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrExist}
	}
	if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
		return err
	}
	if err := Make(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	_, _, err = Walk(dir, Own)
	return err
}
