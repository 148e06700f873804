package askpass

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSweep takes away what a process has left that was killed, and nothing else.
func TestSweep(t *testing.T) {
	parent := t.TempDir()
	old := time.Now().Add(-2 * left)
	for name, c := range map[string]struct {
		mode         os.FileMode
		young, there bool
		stays        bool
	}{
		"left":   {mode: 0o700},
		"young":  {mode: 0o700, young: true, stays: true},
		"in use": {mode: 0o700, there: true, stays: true},
		"open":   {mode: 0o755, stays: true},
	} {
		dir := filepath.Join(parent, dirName+"x")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/nowhere", filepath.Join(dir, helperName)); err != nil {
			t.Fatal(err)
		}
		if c.there {
			lock, err := locked(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
		}
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}
		if !c.young {
			if err := os.Chtimes(dir, old, old); err != nil {
				t.Fatal(err)
			}
		}
		sweep(parent)
		if _, err := os.Lstat(dir); (err == nil) != c.stays {
			t.Errorf("%s: %v", name, err)
		}
		os.RemoveAll(dir)
	}
}
