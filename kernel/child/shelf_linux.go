package child

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// take makes a file for a record, of which there is none with that name.
func (s *shelf) take(name string) (*os.File, error) {
	if one, ok := s.pop(name); ok {
		if one.name == name {
			return one.file, nil
		}
		err := s.dir.claim(one.name, name)
		if err == nil {
			return one.file, nil
		}
		one.file.Close()
		_ = s.dir.remove(one.name)
	}
	return s.dir.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND)
}

// claim renames a file; there is none yet that is called so.
func (d directory) claim(from, to string) (err error) {
	failed := d.at(func(dir int) { err = unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE) })
	return pathError("rename", to, errors.Join(failed, err))
}
