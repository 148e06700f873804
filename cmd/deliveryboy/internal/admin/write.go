package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteRequest asks for a file with this content. Either Data or Text holds the content; both empty make an empty file.
type WriteRequest struct {
	Path   string `json:"path"`
	Data   []byte `json:"data"`   // the content, any bytes
	Text   string `json:"text"`   // the content, if it is text
	Mode   string `json:"mode"`   // octal, such as "0640"; if empty that of the file there, or 0644 less the umask
	Owner  string `json:"owner"`  // a name or number; if empty that of the file there, or the worker's
	Group  string `json:"group"`  // a name or number; if empty that of the file there, or the worker's
	Create bool   `json:"create"` // the file must not exist yet
	Follow bool   `json:"follow"` // if Path is a symbolic link, write the file that it points to
}

// WriteResult tells what was written.
type WriteResult struct {
	Path    string `json:"path"`    // of the file itself, links followed
	Created bool   `json:"created"` // there was no such file
	Size    int64  `json:"size"`    // bytes
	Mode    string `json:"mode"`    // octal, four digits
	UID     int    `json:"uid"`
	GID     int    `json:"gid"`
}

// FileWrite writes a file in one step: whoever opens it sees the old content or the new one, also after a crash. The
// content goes to a new file in the same directory, which gets mode and owner, is synced and then takes the name.
//
// The directory is opened once, so that nobody can put another in its place meanwhile. A file that is there and no
// regular file is refused. Since the file is a new one, it leaves its hard links behind, and keeps no access control list
// or extended attributes; setuid and setgid bits are kept only if Mode asks for them.
func FileWrite(ctx context.Context, r WriteRequest) (WriteResult, error) {
	if err := checkPath("file.write", r.Path); err != nil {
		return WriteResult{}, err
	}
	if len(r.Data) > 0 && r.Text != "" {
		return WriteResult{}, fmt.Errorf("file.write: both data and text are given: give one of them")
	}
	want, err := parseAttributes(r)
	if err != nil {
		return WriteResult{}, err
	}
	path, err := target(r)
	if err != nil {
		return WriteResult{}, err
	}
	parent, name, err := splitPath("file.write", path)
	if err != nil {
		return WriteResult{}, err
	}
	dir, err := os.OpenRoot(parent)
	if err != nil {
		return WriteResult{}, fmt.Errorf("file.write: %w", err)
	}
	defer dir.Close()
	w := replacement{dir: dir, name: name, path: path, want: want, create: r.Create}
	content := r.Data
	if r.Text != "" {
		content = []byte(r.Text)
	}
	res, err := w.write(ctx, content)
	if err != nil {
		return WriteResult{}, fmt.Errorf("file.write: path %s: %w", quote(path), err)
	}
	return res, nil
}

// target is the path of the file itself.
func target(r WriteRequest) (string, error) {
	fi, err := os.Lstat(r.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r.Path, nil
	case err != nil:
		return "", fmt.Errorf("file.write: %w", err)
	case fi.Mode().Type() == fs.ModeSymlink && r.Follow:
		path, err := filepath.EvalSymlinks(r.Path)
		if err != nil {
			return "", fmt.Errorf("file.write: %w", err)
		}
		return path, nil
	}
	return r.Path, nil
}
