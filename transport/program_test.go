package transport_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
)

var worker = []string{"/opt/app", "__deliver"}

// plant writes an executable that leaves a marker when it runs.
func plant(t *testing.T, path string) (marker string) {
	t.Helper()
	marker = filepath.Join(t.TempDir(), "ran")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n: > "+marker+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return marker
}

func TestBuildIgnoresPath(t *testing.T) {
	need(t, "sudo")
	dir := t.TempDir()
	marker := plant(t, filepath.Join(dir, "sudo"))
	t.Chdir(dir)
	t.Setenv("PATH", ".:"+dir)
	argv, err := transport.Build(transport.Sudo{}, worker)
	if err != nil {
		t.Fatal(err)
	}
	if argv[0] != "/usr/bin/sudo" {
		t.Errorf("would run %s", argv[0])
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("the planted sudo ran")
	}
	_, err = transport.Build(transport.Command{Prefix: []string{"only-in-path"}}, worker)
	if !errors.Is(err, transport.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// TestBuildUnsafe goes through all that can be wrong with a program file.
func TestBuildUnsafe(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"good", "foreign", "group", "others", "plain", "open/x", "theirs/x"} {
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		plant(t, at(name))
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(syscall.Mkfifo(at("fifo"), 0o700))
	must(os.Chown(at("foreign"), 65534, 0))
	must(os.Chmod(at("group"), 0o775))
	must(os.Chmod(at("others"), os.ModeSetuid|0o757))
	must(os.Chmod(at("plain"), 0o644))
	must(os.Chmod(at("open"), 0o777))
	must(os.Chown(at("theirs"), 65534, 0))
	must(os.Symlink("good", at("link")))
	must(os.Symlink(at("foreign"), at("badlink")))
	must(os.Symlink("good", at("theirlink")))
	must(os.Lchown(at("theirlink"), 65534, 0))
	must(os.Symlink("loop", at("loop")))
	must(os.Symlink("../"+filepath.Base(dir)+"/theirs/../good", at("through")))

	for _, good := range []string{"good", "link"} {
		argv, err := transport.Build(transport.Sudo{Program: at(good)}, worker)
		if err != nil || argv[0] != at(good) {
			t.Errorf("%s: got %q, %v", good, argv, err)
		}
	}
	for name, want := range map[string]string{
		"foreign":   `"D/foreign" is owned by uid 65534 (mode 0755), should be root`,
		"group":     `"D/group" is writable by group or others (mode 0775)`,
		"others":    `"D/others" is writable by group or others (mode 4757)`,
		"plain":     `is not executable (mode 0644)`,
		"open/x":    `"D/open" is writable by group or others (mode 0777)`,
		"theirs/x":  `"D/theirs" is owned by uid 65534 (mode 0755), should be root`,
		"badlink":   `"D/foreign" is owned by uid 65534 (mode 0755), should be root`,
		"theirlink": `"D/theirlink" is owned by uid 65534 (mode 0777), should be root`,
		"through":   `"D/theirs" is owned by uid 65534 (mode 0755), should be root`,
		"loop":      `too many symbolic links`,
		"fifo":      `is not a regular file`,
		"open":      `"D/open" is writable by group or others (mode 0777)`,
		".":         `is a directory`,
	} {
		path := dir + "/" + name
		want = fmt.Sprintf("transport: program %q: %s: not safe to run", path, strings.ReplaceAll(want, "D/", dir+"/"))
		_, err := transport.Build(transport.Sudo{Program: path}, worker)
		if err == nil || err.Error() != want || !errors.Is(err, transport.ErrUnsafe) {
			t.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
	}
	for _, path := range []string{at("missing"), at("good/x")} {
		if _, err := transport.Build(transport.Sudo{Program: path}, worker); !errors.Is(err, transport.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", path, err)
		}
	}
}

func TestBuildRefusesPrograms(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{
		"./sudo":   `sudo program "./sudo": is a relative path; write an absolute path or a bare name: not safe to run`,
		"bin/sudo": `sudo program "bin/sudo": is a relative path; write an absolute path or a bare name: not safe to run`,
		"-x":       `sudo program "-x": must not begin with '-', it would be read as an option`,
		"..":       `sudo program "..": is a directory`,
		"a\nb":     `sudo program "a\nb": contains the control byte 0x0a`,
		"nosuchprogram": `program "nosuchprogram": is in none of /usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin; ` +
			`install it or give an absolute path: program not found`,
		"/no/such": `program "/no/such": "/no" does not exist: program not found`,
	} {
		_, err := transport.Build(transport.Sudo{Program: program}, worker)
		if err == nil || err.Error() != "transport: "+want {
			t.Errorf("%q:\n got %v\nwant transport: %s", program, err, want)
		}
	}
}

// TestBuildSelf: the worker's own file is the caller's business, so nothing looks at it.
func TestBuildSelf(t *testing.T) {
	t.Parallel()
	argv := []string{"./no-such-program", "a b"}
	for _, via := range []transport.Transport{nil, transport.Self{}, transport.Chain{}, transport.Chain{nil}} {
		got, err := transport.Build(via, argv)
		if err != nil || len(got) != 2 || got[0] != argv[0] || got[1] != argv[1] {
			t.Errorf("%v: got %q, %v", via, got, err)
		}
	}
}

func TestBuildChroot(t *testing.T) {
	needRoot(t)
	need(t, "sudo")
	dir := t.TempDir()
	build := func(dir string) error {
		_, err := transport.Build(transport.Sudo{Chroot: dir}, worker)
		return err
	}
	if err := build(dir); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		"/tmp":          `transport: sudo chroot "/tmp": is writable by group or others: not safe to run`,
		dir + "/none":   `transport: sudo chroot "` + dir + `/none": does not exist`,
		"/bin/sh":       `transport: sudo chroot "/bin/sh": is not a directory`,
		"relative/path": `transport: sudo chroot "relative/path": is not an absolute path; begin it with '/'`,
	} {
		if err := build(path); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
	if err := os.Chown(dir, 65534, 0); err != nil {
		t.Fatal(err)
	}
	if err := build(dir); !errors.Is(err, transport.ErrUnsafe) {
		t.Errorf("a foreign chroot: got %v, want ErrUnsafe", err)
	}
}
