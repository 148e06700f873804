package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// RemoveRequest asks for one file or directory to be gone.
type RemoveRequest struct {
	Path      string `json:"path"`
	Recursive bool   `json:"recursive"`  // a directory goes with all that is in it, mounted file systems included
	MissingOK bool   `json:"missing_ok"` // a file that is not there is no error
}

// RemoveResult tells whether there was anything to remove.
type RemoveResult struct {
	Removed bool `json:"removed"`
}

// FileRemove removes a file, a symbolic link (never what it points to) or a directory, which has to be empty unless
// Recursive is set. The root directory, "." and ".." are refused.
func FileRemove(ctx context.Context, r RemoveRequest) (RemoveResult, error) {
	if err := checkPath("file.remove", r.Path); err != nil {
		return RemoveResult{}, err
	}
	parent, name, err := splitPath("file.remove", r.Path)
	if err != nil {
		return RemoveResult{}, err
	}
	dir, err := os.OpenRoot(parent)
	if err == nil {
		defer dir.Close()
		err = remove(ctx, dir, name, r.Recursive)
	}
	if errors.Is(err, fs.ErrNotExist) && r.MissingOK {
		return RemoveResult{}, nil
	}
	if err != nil {
		return RemoveResult{}, fmt.Errorf("file.remove: path %s: %w", quote(r.Path), bare(err))
	}
	return RemoveResult{Removed: true}, nil
}

func remove(ctx context.Context, dir *os.Root, name string, recursive bool) error {
	if _, err := dir.Lstat(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if recursive {
		return dir.RemoveAll(name)
	}
	return dir.Remove(name)
}
