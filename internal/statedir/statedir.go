// Package statedir is where a user's state is kept: that of jobs. It is one place for a user, whatever started the process.
package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// OfRoot is the directory of the root of a machine, or of a container.
const OfRoot = "/var/lib/deliveryboy"

// Path is the directory of the user that this process runs as; it need not be there.
func Path() (string, error) {
	if os.Geteuid() == 0 && ownsSystem() {
		return OfRoot, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "deliveryboy"), nil
	}
	home, err := home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "deliveryboy"), nil
}

// home is the home of whoever this process really is: root of a user namespace is somebody outside. The user database
// counts, not $HOME, which may be another user's.
func home() (string, error) {
	uid := outerUID(os.Geteuid())
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		if dir := os.Getenv("HOME"); filepath.IsAbs(dir) {
			return dir, nil // a container need not have a user database
		}
		return "", fmt.Errorf("user %d has no home: %w; set XDG_STATE_HOME", uid, err)
	}
	return u.HomeDir, nil
}

// outerUID is who a user of this user namespace is in the one around it.
func outerUID(uid int) int {
	table, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return uid
	}
	for line := range strings.Lines(string(table)) {
		var inside, outside, count int
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 && uid >= inside && uid-inside < count {
			return outside + uid - inside
		}
	}
	return uid
}

// ownsSystem reports whether root here is root of the machine, or of the container: it owns the system's directories.
func ownsSystem() bool {
	info, err := os.Lstat("/")
	return err == nil && ownerOf(info) == 0
}

// Check refuses a directory that somebody else could write to or read. For root, that holds for all that lead to it.
func Check(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("it is no directory")
	case ownerOf(info) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d, not to %d", ownerOf(info), os.Geteuid())
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("its mode is %#o: only its user may have access; chmod 700 helps", info.Mode().Perm())
	}
	if path != OfRoot {
		return nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if !info.IsDir() || ownerOf(info) != 0 || info.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("%s must be a directory that only root can write to", dir)
		}
		if dir == "/" {
			return nil
		}
	}
}

func ownerOf(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}
