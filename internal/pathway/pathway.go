// Package pathway looks at each file, link and directory on the way to a file: who can change any of them decides what is
// there.
package pathway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links a path may lead through, as in Linux.
const maxLinks = 40

// ErrLinks says that a path leads through more than 40 symbolic links, as one in circles does.
var ErrLinks = errors.New("too many symbolic links")

// Walk follows an absolute path from the root directory to its end, and has look see each step, symbolic links and what they
// lead through included, before the next one is taken. It returns what is there, which is no link, and its path without
// links. What look says is returned as it is; that a step is not there is fs.ErrNotExist and names it.
func Walk(path string, look func(at string, info fs.FileInfo) error) (real string, info fs.FileInfo, err error) {
	if !strings.HasPrefix(path, "/") {
		return "", nil, fmt.Errorf("%.1024q is not an absolute path", path)
	}
	at, links := "/", 0
	info, err = step(at, look)
	for rest := strings.Split(path, "/"); len(rest) > 0 && err == nil; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = at[:max(strings.LastIndexByte(at, '/'), 1)]
			info, err = step(at, look)
			continue
		}
		parent := at
		at = strings.TrimSuffix(at, "/") + "/" + name
		if info, err = step(at, look); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if links++; links > maxLinks {
			return "", nil, ErrLinks
		}
		target, err := os.Readlink(at)
		if err != nil {
			return "", nil, err
		}
		rest = append(strings.Split(target, "/"), rest...)
		at = parent
		if strings.HasPrefix(target, "/") {
			at = "/"
		}
	}
	if err != nil {
		return "", nil, err
	}
	return at, info, nil
}

func step(at string, look func(string, fs.FileInfo) error) (fs.FileInfo, error) {
	info, err := os.Lstat(at)
	if errors.Is(err, syscall.ENOTDIR) {
		err = &fs.PathError{Op: "lstat", Path: at, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	return info, look(at, info)
}
