package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

const (
	defaultRead = 1 << 20
	maxRead     = 64 << 20
)

// ReadRequest asks for a part of a file.
type ReadRequest struct {
	Path     string `json:"path"`      // relative paths start at the worker's directory
	Offset   int64  `json:"offset"`    // where to begin, in bytes; counted from the end if negative
	MaxBytes int64  `json:"max_bytes"` // how much to read at most; 1 MiB if 0, at most 64 MiB
	NoFollow bool   `json:"no_follow"` // refuse a path whose last element is a symbolic link
}

// FileContent is a part of a file.
type FileContent struct {
	Path    string    `json:"path"`
	Size    int64     `json:"size"`   // of the whole file, in bytes; 0 for files of /proc and the like
	Offset  int64     `json:"offset"` // where Data begins
	More    bool      `json:"more"`   // the file goes on after Data
	Mode    string    `json:"mode"`   // octal, four digits
	ModTime time.Time `json:"mod_time"`
	Data    []byte    `json:"data"`
}

// FileRead reads a part of a regular file. It never waits: pipes, sockets and devices are refused.
func FileRead(ctx context.Context, r ReadRequest) (FileContent, error) {
	if err := checkPath("file.read", r.Path); err != nil {
		return FileContent{}, err
	}
	most, err := limit("file.read", "max_bytes", r.MaxBytes, defaultRead, maxRead)
	if err != nil {
		return FileContent{}, err
	}
	f, fi, err := openRegular(r.Path, r.NoFollow)
	if err != nil {
		return FileContent{}, err
	}
	defer f.Close()
	c := FileContent{Path: r.Path, Size: fi.Size(), Mode: octal(fi.Mode()), ModTime: fi.ModTime(), Offset: r.Offset}
	if r.Offset < 0 {
		c.Offset = max(fi.Size()+r.Offset, 0)
	}
	c.Data, err = readPart(ctx, f, c.Offset, most)
	if err != nil {
		return FileContent{}, fmt.Errorf("file.read: %w", err)
	}
	if c.More = int64(len(c.Data)) > most; c.More {
		c.Data = c.Data[:most]
	}
	return c, nil
}

// openRegular opens a regular file for reading.
func openRegular(path string, noFollow bool) (*os.File, os.FileInfo, error) {
	// Opening alone may do something to a device, such as start a watchdog: ask first. The answer may have changed when
	// the file is open, so a pipe must not make us wait for a writer, and the file is asked again.
	if fi, err := os.Stat(path); err == nil && !fi.Mode().IsRegular() {
		return nil, nil, notRegular("file.read", path, fi)
	}
	flags := os.O_RDONLY | syscall.O_NONBLOCK
	if noFollow {
		flags |= syscall.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flags, 0)
	if noFollow && (errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK)) { // EMLINK: FreeBSD
		return nil, nil, fmt.Errorf("file.read: path %s: a symbolic link: leave no_follow off to read what it points to",
			quote(path))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("file.read: %w", err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = notRegular("file.read", path, fi)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// readPart reads at most most+1 bytes, so that the caller sees whether there is more.
func readPart(ctx context.Context, f *os.File, offset, most int64) ([]byte, error) {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(readerWith{ctx, f}, most+1))
	return data, err
}

// readerWith reads until its context ends: a large file on a slow disk must not outlive the call.
type readerWith struct {
	ctx context.Context
	r   io.Reader
}

func (r readerWith) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func notRegular(function, path string, fi os.FileInfo) error {
	return fmt.Errorf("%s: path %s: it is a %s: give the path of a regular file",
		function, quote(path), fileType(fi.Mode()))
}
