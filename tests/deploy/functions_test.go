package deploy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A Setup is a file system that somebody finds.
type Setup struct {
	Remove []string
	Dirs   []Entry
	Files  []Entry
	Links  []Entry
}

// An Entry is one thing in it.
type Entry struct {
	Path, Content string // or where a link leads
	Mode          fs.FileMode
	UID           int
}

// prepareAs makes a setup, as who runs it.
func prepareAs(s Setup) error {
	var errs []error
	for _, path := range s.Remove {
		errs = append(errs, os.RemoveAll(path))
	}
	for _, e := range s.Dirs {
		errs = append(errs, os.MkdirAll(e.Path, 0o755), os.Chmod(e.Path, e.Mode), os.Chown(e.Path, e.UID, -1)) //nolint:gosec // as asked for
	}
	for _, e := range s.Files {
		errs = append(errs, os.WriteFile(e.Path, []byte(e.Content), 0o600), os.Chmod(e.Path, e.Mode), os.Chown(e.Path, e.UID, -1))
	}
	for _, e := range s.Links {
		errs = append(errs, os.Symlink(e.Content, e.Path), os.Lchown(e.Path, e.UID, -1))
	}
	return errors.Join(errs...)
}

// filesBelow lists the files in directories, of which some may not be there.
func filesBelow(dirs []string) (files []string, err error) {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err == nil && !d.IsDir():
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}
