package pathway

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWalk: every link is seen, and so is all that each leads through.
func TestWalk(t *testing.T) {
	t.Parallel()
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	for _, dir := range []string{"a/b", "far/away"} {
		must(t, os.MkdirAll(filepath.Join(top, dir), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(top, "a/b/file"), nil, 0o600))
	for from, to := range map[string]string{
		"one": "far/two", "far/two": "../three", "three": top + "/a/b", "round": "round", "nowhere": "none", "to-file": "three/../b/file",
	} {
		must(t, os.Symlink(to, filepath.Join(top, from)))
	}
	for _, c := range []struct{ path, real, seen string }{
		{"a//b/./file", "a/b/file", "a a/b a/b/file"},
		{"one/file", "a/b/file", "one far far/two . three . a a/b a/b/file"},
		{"to-file", "a/b/file", "to-file three . a a/b a a/b a/b/file"},
		{"far/away/../../a", "a", "far far/away far . a"},
	} {
		var seen []string
		real, info, err := Walk(top+"/"+c.path, func(at string, _ fs.FileInfo) error {
			if rel, err := filepath.Rel(top, at); err == nil && !strings.HasPrefix(rel, "..") {
				seen = append(seen, rel)
			}
			return nil
		})
		must(t, err)
		if seen[0] == "." {
			seen = seen[1:]
		}
		if real != filepath.Join(top, c.real) || info.Name() != filepath.Base(c.real) || strings.Join(seen, " ") != c.seen {
			t.Errorf("%s leads to %s over %q; want %s", c.path, real, seen, c.seen)
		}
	}
	look := func(string, fs.FileInfo) error { return nil }
	for path, want := range map[string]error{
		"round": ErrLinks, "nowhere": fs.ErrNotExist, "a/b/file/x": fs.ErrNotExist, "a/none/x": fs.ErrNotExist,
	} {
		if real, info, err := Walk(top+"/"+path, look); real != "" || info != nil || !errors.Is(err, want) {
			t.Errorf("%s: %q, %v, %v; want %v", path, real, info, err, want)
		}
	}
	if _, _, err := Walk("a/b", look); err == nil {
		t.Error("a relative path is walked")
	}
	if real, _, err := Walk("/..//.", look); err != nil || real != "/" {
		t.Errorf("the root is %q, %v", real, err)
	}
}

// TestLook: nothing is read behind a step that look does not like.
func TestLook(t *testing.T) {
	t.Parallel()
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.Symlink("elsewhere", filepath.Join(top, "link")))
	no := errors.New("no")
	var seen []string
	_, _, err = Walk(filepath.Join(top, "link", "x"), func(at string, info fs.FileInfo) error {
		seen = append(seen, at)
		if info.Mode()&fs.ModeSymlink != 0 {
			return no
		}
		return nil
	})
	if !errors.Is(err, no) || !slices.Equal(seen[len(seen)-1:], []string{filepath.Join(top, "link")}) {
		t.Errorf("%v, after %q", err, seen)
	}
}

// TestMake: directories are made in places of root's and this user's, and nothing is left where others could change them.
func TestMake(t *testing.T) {
	t.Parallel()
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	for range 2 {
		must(t, Make(filepath.Join(top, "a", "b", "c")))
	}
	if info, err := os.Stat(filepath.Join(top, "a")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	open := filepath.Join(top, "open")
	must(t, os.Mkdir(open, 0o700))
	must(t, os.Chmod(open, 0o777))
	must(t, os.Symlink("open", filepath.Join(top, "link")))
	must(t, os.Symlink("none", filepath.Join(top, "nowhere")))
	must(t, os.WriteFile(filepath.Join(top, "file"), nil, 0o600))
	for _, path := range []string{"open/x/y", "link/x", "nowhere/x", "file", "file/x"} {
		if err := Make(filepath.Join(top, path)); err == nil {
			t.Errorf("%s is made", path)
		}
	}
	if list, err := os.ReadDir(open); err != nil || len(list) > 0 {
		t.Errorf("in the directory that others can change there is %v, %v", list, err)
	}
	if _, err := os.Lstat(filepath.Join(top, "none")); err == nil {
		t.Error("what a link leads to is made")
	}
}
