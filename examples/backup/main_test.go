package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var here *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main() // the workers, and the keepers of jobs, are this test binary
	if os.Getenv("BACKUP") == "run" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	here = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

// backupNow runs the example in a process of its own, as a shell does.
func backupNow(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "BACKUP=run")
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func needAll(t stage.TB) { here.NeedSSH(t); here.NeedSudo(t) }

func sshThenSudo() string { return fmt.Sprintf("ssh=%s@127.0.0.1:%d//sudo", here.User, here.SSHPort) }

// files makes a directory with so many small files, a link, a pipe, and an archive's place beside it.
func files(t *testing.T, n int) (dir, archive string) {
	t.Helper()
	base := t.TempDir()
	dir = filepath.Join(base, "dir")
	for i := range n {
		file := filepath.Join(dir, fmt.Sprint(i%7), fmt.Sprint("file", i))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/shadow", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfifo", filepath.Join(dir, "pipe")).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return dir, filepath.Join(base, "archive.tar.gz")
}

// One process starts the backup and ends; others list it and collect it.
func TestBackup(t *testing.T) {
	for _, tt := range []struct {
		via  string
		need func(stage.TB)
	}{{"sudo", here.NeedSudo}, {sshThenSudo(), needAll}} {
		t.Run(tt.via, func(t *testing.T) {
			tt.need(t)
			dir, archive := files(t, 2500)
			code, id, stderr := backupNow(t, "-via", tt.via, "start", dir, archive)
			if id = strings.TrimSpace(id); code != 0 || len(id) != 26 {
				t.Fatalf("start: status %d, %q\n%s", code, id, stderr)
			}
			if code, out, stderr := backupNow(t, "-via", tt.via, "list"); code != 0 || !strings.Contains(out, id) || !strings.Contains(out, dir) {
				t.Errorf("list: status %d, %q\n%s", code, out, stderr)
			}
			code, out, stderr := backupNow(t, "-via", tt.via, "collect", id)
			if code != 0 {
				t.Fatalf("collect: status %d\n%s%s", code, out, stderr)
			}
			sum, err := exec.Command("sudo", "-n", "sha256sum", archive).Output()
			if err != nil {
				t.Fatal(err)
			}
			sha, _, _ := strings.Cut(string(sum), " ")
			for _, want := range []string{"backup of ", "2500 files with 25000 bytes, in ", "sha256 " + sha + "\n"} {
				if !strings.Contains(out, want) {
					t.Errorf("got\n%s\nwithout %q", out, want)
				}
			}
			for _, want := range []string{`"msg":"progress","files":1000`, `"files":2000`, `"pipe" is left out`} {
				if !strings.Contains(stderr, want) {
					t.Errorf("got\n%s\nwithout %q", stderr, want)
				}
			}
			inside, err := exec.Command("sudo", "-n", "tar", "-tvzf", archive).Output()
			if err != nil || bytes.Count(inside, []byte("/file")) != 2500 || !bytes.Contains(inside, []byte("link -> /etc/shadow")) {
				t.Errorf("%v, %.300s", err, inside)
			}
			if code, _, stderr := backupNow(t, "-via", tt.via, "collect", id); code != 1 || !strings.Contains(stderr, "no such job") {
				t.Errorf("once more: status %d\n%s", code, stderr)
			}
		})
	}
}

// What the function fails with comes back typed, and is taken in as a report is.
func TestFailures(t *testing.T) {
	for _, via := range []string{"sudo", sshThenSudo()} {
		t.Run(via, func(t *testing.T) {
			needAll(t)
			dir, archive := files(t, 1)
			for _, tt := range []struct{ dir, file, says string }{
				{"/no/such/dir", archive, "nothing was written, because of /no: lstat /no: no such file or directory"},
				{dir, "/no/such/archive", "nothing was written, because of /no: "},
				{dir, filepath.Join(dir, "0", "archive"), "the archive would lie in the directory that is to be in it; give a FILE elsewhere"},
			} {
				code, id, stderr := backupNow(t, "-via", via, "start", tt.dir, tt.file)
				if code != 0 {
					t.Fatalf("start: status %d\n%s", code, stderr)
				}
				id = strings.TrimSpace(id)
				if code, _, stderr = backupNow(t, "-via", via, "collect", id); code != 1 || !strings.Contains(stderr, tt.says) {
					t.Errorf("collect: status %d\n%s\nwithout %q", code, stderr, tt.says)
				}
				if _, out, _ := backupNow(t, "-via", via, "list"); strings.Contains(out, id) {
					t.Errorf("it was not acknowledged: %s", out)
				}
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(archive), ".backup-*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"start", "/srv"}, {"collect"}, {"list", "all"}, {"-via", "sudoo", "list"}, {"-x"}} {
		if code, _, stderr := backupNow(t, args...); code != 64 || stderr == "" {
			t.Errorf("%q: status %d, %q", args, code, stderr)
		}
	}
	if code, _, stderr := backupNow(t, "start", "srv", "x"); code != 1 || !strings.Contains(stderr, "absolute") {
		t.Errorf("status %d, %q", code, stderr)
	}
	if code, _, stderr := backupNow(t, "-via", "self", "collect", "../x"); code != 1 || !strings.Contains(stderr, "job id") {
		t.Errorf("status %d, %q", code, stderr)
	}
}
