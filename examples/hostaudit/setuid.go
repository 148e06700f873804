package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// SetuidQuery asks for the files that lend their owner's rights to whoever runs them.
type SetuidQuery struct {
	Roots []string // default /usr, /bin, /sbin, /lib, /opt; none is left for another file system
	Limit int      // how many files to look at; default 1,000,000
}

// SetuidReport is the answer.
type SetuidReport struct {
	Files  []SetuidFile
	Looked int // how many files were looked at
	Closed int // directories that could not be read
	Findings
}

// A SetuidFile is a file with the setuid or the setgid bit.
type SetuidFile struct {
	Path     string
	Mode     string // as ls shows it
	UID, GID uint32
}

// String is the report in a few words.
func (r SetuidReport) String() string {
	text := fmt.Sprintf("%d setuid and setgid files among %d", len(r.Files), r.Looked)
	if r.Closed > 0 {
		text += fmt.Sprintf("; %d directories could not be read", r.Closed)
	}
	return text
}

// maxSetuid bounds the list. A healthy system has about twenty.
const maxSetuid = 1000

var errEnough = errors.New("enough")

func auditSetuid(ctx context.Context, q SetuidQuery) (SetuidReport, error) {
	if len(q.Roots) == 0 {
		q.Roots = []string{"/usr", "/bin", "/sbin", "/lib", "/opt"}
	}
	if q.Limit == 0 {
		q.Limit = 1_000_000
	}
	w := &setuidWalk{limit: q.Limit}
	for _, root := range distinct(q.Roots) {
		err := w.walk(ctx, root)
		if errors.Is(err, errEnough) {
			w.report.add(Warn, root, fmt.Sprintf("stopped after %d files", w.report.Looked), "raise the limit of the query")
			break
		}
		if err != nil {
			return SetuidReport{}, fmt.Errorf("setuid: %w", err)
		}
	}
	if ownersHidden() {
		w.report.add(Note, "owners", "not to be seen from this user namespace", "run the audit outside of it")
	}
	return w.report, nil
}

// distinct resolves the roots, and leaves out those that are missing or below another one: /bin is /usr/bin today.
func distinct(roots []string) []string {
	var kept []string
	for _, root := range roots {
		root, err := filepath.EvalSymlinks(root)
		if err != nil {
			continue // missing, or a loop of symlinks: nothing can be run from there
		}
		covered := false
		for _, r := range kept {
			covered = covered || root == r || strings.HasPrefix(root, strings.TrimSuffix(r, "/")+"/")
		}
		if !covered {
			kept = append(kept, root)
		}
	}
	return kept
}

type setuidWalk struct {
	limit  int
	device uint64 // of the root being walked
	report SetuidReport
}

// walk looks at everything below root, on its file system, and follows no symlink.
func (w *setuidWalk) walk(ctx context.Context, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			w.report.Closed++ // a directory without permission, or one that is gone by now
			return nil
		}
		if w.report.Looked++; w.report.Looked > w.limit {
			return errEnough
		}
		if !entry.IsDir() && !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil // gone by now
		}
		if entry.IsDir() {
			return w.enter(path == root, info)
		}
		if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			return w.found(path, info)
		}
		return nil
	})
}

// enter keeps the walk on the file system where it began.
func (w *setuidWalk) enter(isRoot bool, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	device := uint64(stat.Dev) //nolint:unconvert // it is an int32 on darwin
	if isRoot {
		w.device = device
	}
	if device != w.device {
		return fs.SkipDir
	}
	return nil
}

func (w *setuidWalk) found(path string, info fs.FileInfo) error {
	if len(w.report.Files) == maxSetuid {
		return errEnough
	}
	uid, gid, _ := owner(info)
	w.report.Files = append(w.report.Files, SetuidFile{plain(path), info.Mode().String(), uid, gid})
	mode := info.Mode()
	switch {
	case mode.Perm()&0o002 != 0 || mode.Perm()&0o020 != 0 && !isRoot(gid):
		w.report.add(High, path, fmt.Sprintf("%s: others may rewrite what runs with these rights", mode), "chmod go-w")
	case mode&fs.ModeSetuid != 0 && !isRoot(uid):
		w.report.add(Warn, path, fmt.Sprintf("setuid to uid %d: that user may rewrite it", uid), "chmod u-s, or chown root")
	case !isRoot(uid):
		w.report.add(Warn, path, fmt.Sprintf("setgid to group %d and owned by uid %d, who may rewrite it", gid, uid), "chown root")
	}
	return nil
}
