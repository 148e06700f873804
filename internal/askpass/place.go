package askpass

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocket is the longest path of a socket on every system.
const maxSocket = 103

// place makes a directory that only this user can enter, with a name that nobody can guess.
func place() (dir string, err error) {
	parents := []string{os.TempDir(), "/tmp"}
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); private(runtime) == nil {
		parents = append([]string{runtime}, parents...)
	}
	name := make([]byte, 16)
	_, _ = rand.Read(name) // never fails
	for _, parent := range parents {
		dir = filepath.Join(parent, "deliveryboy-ask-"+hex.EncodeToString(name))
		if !filepath.IsAbs(dir) || len(dir)+1+len(socketName) > maxSocket {
			continue
		}
		if err = os.Mkdir(dir, 0o700); err == nil {
			return dir, private(dir)
		}
	}
	if err == nil {
		err = errors.New("no directory has a name that is short enough for a socket")
	}
	return "", err
}

// private refuses a directory that is not this user's alone.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || info.Mode()&fs.ModeSymlink != 0 || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("%.200q is not a directory of this user alone", dir)
	}
	return nil
}
