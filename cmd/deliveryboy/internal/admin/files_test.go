package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// put makes a file and returns its path.
func put(t *testing.T, path, content string, mode fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantError checks that err is there and says each of the parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func TestFileRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), "0123456789", 0o640)
	link := filepath.Join(dir, "link")
	if err := os.Symlink("f", link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		req    ReadRequest
		data   string
		offset int64
		more   bool
	}{
		{"all", ReadRequest{Path: path}, "0123456789", 0, false},
		{"exactly all", ReadRequest{Path: path, MaxBytes: 10}, "0123456789", 0, false},
		{"part", ReadRequest{Path: path, Offset: 2, MaxBytes: 3}, "234", 2, true},
		{"end", ReadRequest{Path: path, Offset: -3}, "789", 7, false},
		{"before the beginning", ReadRequest{Path: path, Offset: -99}, "0123456789", 0, false},
		{"past the end", ReadRequest{Path: path, Offset: 99}, "", 99, false},
		{"through a link", ReadRequest{Path: link}, "0123456789", 0, false},
	} {
		c, err := FileRead(context.Background(), tt.req)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if string(c.Data) != tt.data || c.Offset != tt.offset || c.More != tt.more || c.Size != 10 || c.Mode != "0640" {
			t.Errorf("%s: %+v", tt.name, c)
		}
	}
	c, err := FileRead(context.Background(), ReadRequest{Path: "/proc/self/status"})
	if err != nil || !bytes.Contains(c.Data, []byte("Pid:")) {
		t.Errorf("a file of /proc: %q, %v", c.Data, err)
	}
}

func TestFileReadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), "x", 0o600)
	link, pipe := filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.Symlink("f", link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		req  ReadRequest
		says []string
	}{
		{"no path", nil, ReadRequest{}, []string{"path is empty"}},
		{"nul", nil, ReadRequest{Path: "a\x00b"}, []string{`"a\x00b"`, "NUL"}},
		{"pipe", nil, ReadRequest{Path: pipe}, []string{"it is a pipe"}},
		{"directory", nil, ReadRequest{Path: dir}, []string{"it is a directory"}},
		{"device", nil, ReadRequest{Path: "/dev/zero"}, []string{"it is a chardevice"}},
		{"link", nil, ReadRequest{Path: link, NoFollow: true}, []string{"a symbolic link", "no_follow"}},
		{"too much", nil, ReadRequest{Path: path, MaxBytes: 1 << 40}, []string{"max_bytes", "1099511627776", "67108864"}},
		{"less than nothing", nil, ReadRequest{Path: path, MaxBytes: -1}, []string{"max_bytes", "-1"}},
		{"cancelled", done, ReadRequest{Path: path}, []string{"context canceled"}},
		{"long path", nil, ReadRequest{Path: strings.Repeat("é", 200) + "\x00"}, []string{"…"}},
	} {
		ctx := tt.ctx
		if ctx == nil {
			ctx = context.Background()
		}
		_, err := FileRead(ctx, tt.req)
		wantError(t, err, tt.says...)
	}
	_, err := FileRead(context.Background(), ReadRequest{Path: dir + "/none"})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v is not fs.ErrNotExist", err)
	}
}

func TestFileStat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), "12345", 0o640|fs.ModeSetuid)
	link := filepath.Join(dir, "link")
	if err := os.Symlink("f", link); err != nil {
		t.Fatal(err)
	}
	own := os.Geteuid()
	want := FileInfo{Path: path, Type: "file", Mode: "4640", Size: 5, UID: own, GID: os.Getegid(), Links: 1}
	got, err := FileStat(context.Background(), StatRequest{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreFields(FileInfo{}, "Owner", "Group", "ModTime", "Device", "Inode")
	if diff := cmp.Diff(want, got, ignore); diff != "" {
		t.Error(diff)
	}
	if got.Owner == "" || got.Inode == 0 || time.Since(got.ModTime) > time.Hour {
		t.Errorf("owner, inode or time missing: %+v", got)
	}
	got, err = FileStat(context.Background(), StatRequest{Path: link})
	if err != nil || got.Type != "symlink" || got.Target != "f" {
		t.Errorf("link: %+v, %v", got, err)
	}
	got, err = FileStat(context.Background(), StatRequest{Path: link, Follow: true})
	if err != nil || got.Type != "file" || got.Target != "" {
		t.Errorf("link, followed: %+v, %v", got, err)
	}
	for path, typ := range map[string]string{"/dev/null": "chardevice", dir: "directory"} {
		if got, err := FileStat(context.Background(), StatRequest{Path: path}); err != nil || got.Type != typ {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	if _, err := FileStat(context.Background(), StatRequest{Path: dir + "/none"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v is not fs.ErrNotExist", err)
	}
}

func TestFileList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"a", "a/b", "a/b/c"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, d, "file"), d, 0o644)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		req  ListRequest
		want string
		more bool
	}{
		{ListRequest{Path: dir}, "a out", false},
		{ListRequest{Path: dir, Depth: 2}, "a a/b a/file out", false},
		{ListRequest{Path: dir, Depth: 64}, "a a/b a/b/c a/b/c/file a/b/file a/file out", false},
		{ListRequest{Path: dir, Depth: 64, MaxEntries: 3}, "a a/b a/b/c", true},
		{ListRequest{Path: dir, MaxEntries: 2}, "a out", false},
	} {
		l, err := FileList(context.Background(), tt.req)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range l.Entries {
			names = append(names, e.Path)
		}
		if got := strings.Join(names, " "); got != tt.want || l.More != tt.more {
			t.Errorf("%+v: %s, more %v, want %s", tt.req, got, l.More, tt.want)
		}
		if last := l.Entries[len(l.Entries)-1]; last.Path == "out" && last.Target != "/etc" {
			t.Errorf("the link leads to %q", last.Target)
		}
	}
	_, err := FileList(context.Background(), ListRequest{Path: dir, Depth: 65})
	wantError(t, err, "depth", "65", "1 to 64")
	_, err = FileList(context.Background(), ListRequest{Path: filepath.Join(dir, "a/file")})
	wantError(t, err, "file.list")
}

func TestFileRemove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := put(t, filepath.Join(t.TempDir(), "keep"), "x", 0o600)
	full := filepath.Join(dir, "full")
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(full, "link")
	if err := os.Symlink(filepath.Dir(outside), link); err != nil {
		t.Fatal(err)
	}
	remove := func(r RemoveRequest) error { _, err := FileRemove(context.Background(), r); return err }

	if err := remove(RemoveRequest{Path: full}); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("a full directory: %v", err)
	}
	if err := remove(RemoveRequest{Path: full + "/", Recursive: true}); err != nil {
		t.Errorf("a full directory, recursively: %v", err)
	}
	if _, err := os.Lstat(full); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("what the link led to is gone: %v", err)
	}
	if err := remove(RemoveRequest{Path: full}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if res, err := FileRemove(context.Background(), RemoveRequest{Path: full, MissingOK: true}); err != nil || res.Removed {
		t.Errorf("what is not there, and need not be: %+v, %v", res, err)
	}
	for _, path := range []string{"/", "//", ".", "..", dir + "/..", dir + "/.", "./"} {
		wantError(t, remove(RemoveRequest{Path: path, Recursive: true}), fmt.Sprintf("%q", path), "names no entry")
	}
}
