// Package build tells one build of this program from another.
package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
)

// ID identifies the build that is running: two processes with the same ID run the same bytes. It is Go's own build ID
// where the file has one, and a digest of the file otherwise. If the file cannot be read, the ID is that of the build's
// settings, marked as such. Without /proc, as in many a chroot, the file is what the process was started by.
var ID = sync.OnceValue(func() string {
	f, err := Open()
	if err != nil && filepath.IsAbs(os.Args[0]) {
		f, err = os.Open(os.Args[0])
	}
	if err != nil {
		return settings()
	}
	defer f.Close()
	if id := Of(f); id != "" {
		return id
	}
	h := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return settings()
	}
	if _, err := io.Copy(h, f); err != nil {
		return settings()
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
})

// Of is the build ID that the Go linker wrote into an ELF file; "" if there is none.
func Of(f io.ReaderAt) string { return goBuildID(f) }

// Open opens the file that this process runs, even if another has taken its name since.
func Open() (*os.File, error) {
	if runtime.GOOS == "linux" {
		if f, err := os.Open("/proc/self/exe"); err == nil {
			return f, nil
		}
	}
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(name)
}

func settings() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return fmt.Sprintf("settings:%x", sha256.Sum256([]byte(info.String())))
}

// Version is the module version that the program was built from, "(devel)" for a work tree.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
