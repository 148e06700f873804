//go:build unix

package stage

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestHashTree(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "d", "file")
	link := filepath.Join(base, "link")
	must(t, os.Mkdir(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, []byte("one"), 0o644))
	must(t, os.Symlink("d/file", link))

	first := hash(t, base)
	must(t, os.Chtimes(file, time.Unix(1, 0), time.Unix(2, 0)))
	if hash(t, base) != first {
		t.Error("times count")
	}
	for _, c := range []struct {
		what       string
		do, undone func() error
	}{
		{"content", func() error { return os.WriteFile(file, []byte("two"), 0o644) }, func() error { return os.WriteFile(file, []byte("one"), 0o644) }},
		{"mode", func() error { return os.Chmod(file, 0o600) }, func() error { return os.Chmod(file, 0o644) }},
		{"name", func() error { return os.Rename(file, file+"x") }, func() error { return os.Rename(file+"x", file) }},
		{"empty directory", func() error { return os.Mkdir(file+"y", 0o755) }, func() error { return os.Remove(file + "y") }},
		{
			"link", func() error { return os.Rename(link, link+"x") }, func() error { return os.Rename(link+"x", link) },
		},
	} {
		must(t, c.do())
		if hash(t, base) == first {
			t.Errorf("%s does not count", c.what)
		}
		must(t, c.undone())
		if hash(t, base) != first {
			t.Errorf("%s: not the same after undoing it", c.what)
		}
	}
	if os.Geteuid() == 0 {
		must(t, os.Lchown(file, 12345, -1))
		if hash(t, base) == first {
			t.Error("owner does not count")
		}
	}
	if _, err := HashTree(filepath.Join(base, "none")); err == nil {
		t.Error("a tree that is not there has a hash")
	}
}

func hash(t *testing.T, dir string) string {
	t.Helper()
	sum, err := HashTree(dir)
	must(t, err)
	return sum
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
