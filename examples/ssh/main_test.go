package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var here *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main() // sshd starts this test binary as the worker
	here = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

// files makes 3 files with 11 bytes in all, in 2 entries.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "hello", "sub/b": "gopher", "sub/deep/c": ""} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOverSSH(t *testing.T) {
	here.NeedSSH(t)
	dir := files(t)
	for _, spec := range []string{
		fmt.Sprintf("%s@127.0.0.1:%d", here.User, here.SSHPort),
		fmt.Sprintf("ssh=%s@127.0.0.1:%d//sudo", here.User, here.SSHPort),
	} {
		var stdout, stderr strings.Builder
		if code := run(context.Background(), []string{spec, dir}, &stdout, &stderr); code != 0 {
			t.Errorf("%s: status %d\n%s", spec, code, stderr.String())
			continue
		}
		for _, want := range []string{`5       1 files  "a"`, `6       2 files  "sub"`, "11       3 files  in all; 0 "} {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%s: got\n%s\nwithout %q", spec, stdout.String(), want)
			}
		}
	}
}

func TestFailures(t *testing.T) {
	here.NeedSSH(t)
	user := fmt.Sprintf("%s@127.0.0.1:%d", here.User, here.SSHPort)
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no such directory", []string{user, "/no/such/dir"}, 1, "on the far side: open /no/such/dir: no such file"},
		{"closed directory", []string{user, "/root"}, 1, "on the far side: open /root: permission denied"},
		{"nobody listens", []string{"127.0.0.1:1", "/"}, 1, "efused"},
		{"an option instead of a host", []string{"-oProxyCommand=id", "/"}, 64, ""},
		{"no directory", []string{user}, 64, "usage: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			if code := run(context.Background(), tt.args, &stdout, &stderr); code != tt.code {
				t.Errorf("status %d, want %d", code, tt.code)
			}
			if !strings.Contains(stderr.String(), tt.says) || stderr.Len() == 0 {
				t.Errorf("got %q, want %q in it", stderr.String(), tt.says)
			}
		})
	}
}

// The output is live: the first line is here before the function has come to its end, and cancelling ends it there.
func TestOutputIsLive(t *testing.T) {
	here.NeedSSH(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	spec := fmt.Sprintf("%s@127.0.0.1:%d", here.User, here.SSHPort)
	var stderr strings.Builder
	first := firstWrite{then: cancel}
	// The line about /bin, a symlink, comes at once; /usr behind it takes a second.
	if code := run(ctx, []string{spec, "/"}, &first, &stderr); code != 1 || first.text == "" {
		t.Errorf("status %d after %q\n%s", code, first.text, stderr.String())
	}
	if !strings.Contains(stderr.String(), "context canceled") {
		t.Errorf("got %q, want a cancelled call", stderr.String())
	}
}

type firstWrite struct {
	text string
	then func()
}

func (f *firstWrite) Write(p []byte) (int, error) {
	if f.text == "" {
		f.text = string(p)
		f.then()
	}
	return len(p), nil
}
