package admin

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	defaultEntries = 10_000
	maxEntries     = 1_000_000
	maxDepth       = 64
)

// ListRequest asks for the files in a directory.
type ListRequest struct {
	Path       string `json:"path"`
	Depth      int    `json:"depth"`       // how many levels; 1 if 0, at most 64
	MaxEntries int    `json:"max_entries"` // how many files at most; 10000 if 0, at most 1000000
}

// Listing is what is in a directory, in order of names.
type Listing struct {
	Path    string     `json:"path"`
	Entries []FileInfo `json:"entries"` // their paths start at Path
	Skipped []string   `json:"skipped"` // one line for everything that could not be read, with the reason
	More    bool       `json:"more"`    // there are more than MaxEntries
}

// FileList lists a directory. It follows no symbolic link below it, and reads no directory outside of it. What
// cannot be read is skipped, and said so.
func FileList(ctx context.Context, r ListRequest) (Listing, error) {
	if err := checkPath("file.list", r.Path); err != nil {
		return Listing{}, err
	}
	depth, err := limit("file.list", "depth", int64(r.Depth), 1, maxDepth)
	if err != nil {
		return Listing{}, err
	}
	most, err := limit("file.list", "max_entries", int64(r.MaxEntries), defaultEntries, maxEntries)
	if err != nil {
		return Listing{}, err
	}
	root, err := os.OpenRoot(r.Path)
	if err != nil {
		return Listing{}, fmt.Errorf("file.list: %w", err)
	}
	defer root.Close()
	l := lister{ctx: ctx, root: root, depth: int(depth), most: int(most), names: names{}}
	l.result.Path = r.Path
	if err := fs.WalkDir(root.FS(), ".", l.visit); err != nil {
		return Listing{}, fmt.Errorf("file.list: %w", err)
	}
	return l.result, nil
}

// lister walks over one directory, and collects.
type lister struct {
	ctx    context.Context
	root   *os.Root
	depth  int
	most   int
	names  names
	result Listing
}

func (l *lister) visit(path string, d fs.DirEntry, err error) error {
	if stop := l.ctx.Err(); stop != nil {
		return stop
	}
	if err != nil {
		if path == "." {
			return err
		}
		l.skip(path, err)
		return nil
	}
	if path == "." {
		return nil
	}
	if len(l.result.Entries) == l.most {
		l.result.More = true
		return fs.SkipAll
	}
	if err := l.add(path, d); err != nil {
		l.skip(path, err)
	}
	if d.IsDir() && strings.Count(path, "/")+1 >= l.depth {
		return fs.SkipDir
	}
	return nil
}

func (l *lister) add(path string, d fs.DirEntry) error {
	fi, err := d.Info()
	if err != nil {
		return err
	}
	info := describe(path, fi, l.names)
	if info.Type == "symlink" {
		if info.Target, err = l.root.Readlink(path); err != nil {
			return err
		}
	}
	l.result.Entries = append(l.result.Entries, info)
	return nil
}

func (l *lister) skip(path string, err error) {
	l.result.Skipped = append(l.result.Skipped, fmt.Sprintf("%s: %v", filepath.FromSlash(path), bare(err)))
}
