package admin

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// show is content, mode and owner of a file.
func show(t *testing.T, path string) (content, mode string, uid, gid int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := FileStat(context.Background(), StatRequest{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return string(data), fi.Mode, fi.UID, fi.GID
}

// onlyFile checks that nothing was left behind beside the one file of its directory.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v, want one file", entries, err)
	}
}

func TestFileWriteNew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new")
	res, err := FileWrite(context.Background(), WriteRequest{Path: path, Text: "hello", Mode: "2750"})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Created || res.Size != 5 || res.Mode != "2750" || res.UID != os.Geteuid() {
		t.Errorf("%+v", res)
	}
	if content, mode, _, _ := show(t, path); content != "hello" || mode != "2750" {
		t.Errorf("%q, mode %s", content, mode)
	}
	onlyFile(t, path)
}

func TestFileWriteKeepsModeAndOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := put(t, filepath.Join(t.TempDir(), "f"), "old", 0o640)
	if err := os.Chown(path, 33, 34); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640|fs.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	write := func(r WriteRequest) {
		t.Helper()
		r.Path = path
		if res, err := FileWrite(context.Background(), r); err != nil || res.Created {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	write(WriteRequest{Data: []byte{0, 1, 255}})
	if content, mode, uid, gid := show(t, path); content != "\x00\x01\xff" || mode != "0640" || uid != 33 || gid != 34 {
		t.Errorf("kept: %q, mode %s, owner %d:%d; the setuid bit must be gone", content, mode, uid, gid)
	}
	write(WriteRequest{Owner: "nobody", Group: "12345"})
	if content, mode, uid, gid := show(t, path); content != "" || mode != "0640" || uid != 65534 || gid != 12345 {
		t.Errorf("given: %q, mode %s, owner %d:%d", content, mode, uid, gid)
	}
	write(WriteRequest{Mode: "4711", Owner: "0"})
	if _, mode, uid, gid := show(t, path); mode != "4711" || uid != 0 || gid != 12345 {
		t.Errorf("asked for: mode %s, owner %d:%d", mode, uid, gid)
	}
	onlyFile(t, path)
}

func TestFileWriteLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), "old", 0o600)
	link, hard := filepath.Join(dir, "link"), filepath.Join(dir, "hard")
	if err := errors.Join(os.Symlink("f", link), os.Link(path, hard)); err != nil {
		t.Fatal(err)
	}
	_, err := FileWrite(context.Background(), WriteRequest{Path: link, Text: "new"})
	wantError(t, err, "symbolic link", "follow")
	if content, _, _, _ := show(t, path); content != "old" {
		t.Errorf("the file was written through the link: %q", content)
	}
	res, err := FileWrite(context.Background(), WriteRequest{Path: link, Text: "new", Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	if content, _, _, _ := show(t, path); content != "new" || filepath.Base(res.Path) != "f" {
		t.Errorf("%q, %+v", content, res)
	}
	if target, err := os.Readlink(link); err != nil || target != "f" {
		t.Errorf("the link itself was replaced: %q, %v", target, err)
	}
	if content, _, _, _ := show(t, hard); content != "old" {
		t.Errorf("the hard link was written: %q", content)
	}
}

func TestFileWriteRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := put(t, filepath.Join(dir, "f"), "old", 0o600)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		req  WriteRequest
		says []string
	}{
		{WriteRequest{}, []string{"path is empty"}},
		{WriteRequest{Path: path, Text: "a", Data: []byte("b")}, []string{"data and text"}},
		{WriteRequest{Path: path, Create: true}, []string{"file already exists", "create"}},
		{WriteRequest{Path: path, Mode: "rw-r--r--"}, []string{`mode "rw-r--r--"`, "octal"}},
		{WriteRequest{Path: path, Mode: "17777"}, []string{`mode "17777"`}},
		{WriteRequest{Path: path, Owner: "no-such-user"}, []string{`owner "no-such-user"`, "not known"}},
		{WriteRequest{Path: path, Owner: "4294967295"}, []string{`owner "4294967295"`, "not known"}},
		{WriteRequest{Path: path, Group: "-1"}, []string{`group "-1"`, "not known"}},
		{WriteRequest{Path: pipe}, []string{"it is a pipe"}},
		{WriteRequest{Path: dir}, []string{"it is a directory"}},
		{WriteRequest{Path: dir + "/."}, []string{"names no entry"}},
		{WriteRequest{Path: dir + "/none/f"}, []string{"no such file"}},
	} {
		_, err := FileWrite(context.Background(), tt.req)
		wantError(t, err, tt.says...)
	}
	if content, _, _, _ := show(t, path); content != "old" {
		t.Errorf("a refused write wrote %q", content)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FileWrite(done, WriteRequest{Path: dir + "/late"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left, err := filepath.Glob(dir + "/.deliveryboy-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
