package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// replacement puts a new file in the place of an old one.
type replacement struct {
	dir    *os.Root
	name   string // in dir
	path   string // for people
	want   attributes
	create bool // there must be no old one
}

func (w replacement) write(ctx context.Context, content []byte) (res WriteResult, err error) {
	created, err := w.look()
	if err != nil {
		return res, err
	}
	temp := ".deliveryboy-" + rand.Text()
	f, err := w.dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, w.want.createMode())
	if err != nil {
		return res, bare(err)
	}
	defer func() {
		f.Close()
		w.dir.Remove(temp) // it is gone already if all went well
	}()
	if _, err := f.Write(content); err != nil {
		return res, bare(err)
	}
	if err := w.want.apply(f); err != nil {
		return res, err
	}
	if err := f.Sync(); err != nil {
		return res, bare(err)
	}
	fi, err := f.Stat()
	if err != nil {
		return res, bare(err)
	}
	if err := ctx.Err(); err != nil {
		return res, err
	}
	if err := w.publish(temp); err != nil {
		return res, err
	}
	info := describe(w.path, fi, names{})
	return WriteResult{Path: w.path, Created: created, Size: info.Size, Mode: info.Mode, UID: info.UID, GID: info.GID},
		w.syncDir()
}

// look takes over what is to be kept of the file there, if there is one.
func (w *replacement) look() (created bool, err error) {
	fi, err := w.dir.Lstat(w.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, bare(err)
	case w.create:
		return false, fmt.Errorf("%w: leave create off to replace it", fs.ErrExist)
	case fi.Mode().Type() == fs.ModeSymlink:
		return false, fmt.Errorf("it is a symbolic link: set follow to write the file that it points to")
	case !fi.Mode().IsRegular():
		return false, fmt.Errorf("it is a %s: only regular files can be written", fileType(fi.Mode()))
	}
	w.want.keep(fi)
	return false, nil
}

// publish gives the finished file its name.
func (w replacement) publish(temp string) error {
	if !w.create {
		return bare(w.dir.Rename(temp, w.name))
	}
	// Unlike a rename, a link fails if somebody has made the file since we looked.
	return bare(w.dir.Link(temp, w.name))
}

// syncDir makes the new name last.
func (w replacement) syncDir() error {
	d, err := w.dir.Open(".")
	if err != nil {
		return bare(err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return bare(err)
	}
	return nil
}
