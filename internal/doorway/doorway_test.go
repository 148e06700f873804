package doorway

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOneThatEnds: a server that has taken its socket away is waited for; one that listens is not.
func TestOneThatEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	first, lock, err := Open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path, false); !errors.Is(err, ErrTaken) {
		t.Fatalf("got %v, want %v", err, ErrTaken)
	}
	first.Close() // and its file is gone
	opened := make(chan error, 1)
	go func() {
		second, lock, err := Open(path, false)
		if err == nil {
			second.Close()
			lock.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("opened while another has the lock: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	lock.Close()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestCheckDir(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	file := filepath.Join(top, "file")
	open := filepath.Join(top, "open")
	for _, err := range []error{os.WriteFile(file, nil, 0o600), os.Mkdir(open, 0o700), os.Chmod(open, 0o777)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ dir, want string }{
		{filepath.Join(top, "new"), ""},
		{filepath.Join(top, "new"), ""}, // it is there now
		{filepath.Join(top, "none", "deeper"), "neither it nor its parent is there"},
		{"/nonexist-deliveryboy", "it is not there; make it"},
		{file, "it is not a directory"},
		{filepath.Join(file, "below"), "it cannot be looked at: "},
		{open, "group or others can write to it (mode 0777)"},
	} {
		err := CheckDir(c.dir, false)
		if c.want == "" && err == nil {
			if info, err := os.Stat(c.dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", c.dir, info, err)
			}
			continue
		}
		if c.want == "" || !errors.As(err, new(*DirError)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.dir, err, c.want)
		}
		if err != nil && c.dir != file && c.dir != open {
			if _, err := os.Lstat(c.dir); err == nil {
				t.Errorf("%s was made", c.dir)
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(top, "none")); err == nil {
		t.Error("the parent was made")
	}
}
