// Package rootfs makes small root directories for tests: for chroot, and for images of containers. They hold the programs
// that a test names, the libraries of those that are not static, and no more.
package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Busybox is where a shell and the usual small programs are, if they are there at all; see [Shell].
const Busybox = "/bin/busybox"

// Shell are the names that busybox has in a root directory made by [Make].
var Shell = []string{"/bin/sh", "/bin/cat", "/bin/echo", "/usr/bin/env", "/usr/bin/printf", "/bin/sleep", "/usr/bin/su", "/usr/bin/id", "/bin/pwd",
	"/bin/true", "/usr/bin/tr", "/usr/bin/setsid"}

// Make puts files into dir, which has to exist: from gives the source for each path in it. Directories are made where they
// are missing, /tmp and /etc always, with a user database of root and www (uid 33).
func Make(dir string, from map[string]string) error {
	for _, d := range []string{"tmp", "etc", "var/lib", "proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	for path, source := range from {
		if err := add(dir, path, source); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte("root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/bin/sh\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "etc/group"), []byte("root:x:0:\nwww:x:33:\n"), 0o644))
}

// AddShell puts busybox into dir, under the names in [Shell].
func AddShell(dir string) error {
	if _, err := os.Stat(Busybox); err != nil {
		return fmt.Errorf("rootfs: no busybox: %w; run: go run ./tests/stage/install", err)
	}
	if err := add(dir, Busybox, Busybox); err != nil {
		return err
	}
	for _, name := range Shell {
		link := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(Busybox, link)); err != nil {
			return err
		}
	}
	return nil
}

// Libraries are the files that the dynamic loader needs for a program, and the loader; none for a static one.
func Libraries(program string) []string {
	out, _ := exec.Command("ldd", program).Output() // fails for a static one
	var files []string
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") {
			files = append(files, word)
		}
	}
	return files
}

// add copies a program and its libraries.
func add(dir, path, source string) error {
	if err := copyFile(filepath.Join(dir, path), source); err != nil {
		return err
	}
	for _, name := range Libraries(source) {
		if err := copyFile(filepath.Join(dir, name), name); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), os.Chmod(to, 0o755))
}
