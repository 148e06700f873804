//go:build linux

package child

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// TestShelf: a file of a record is used again, with nothing of the old record in it.
func TestShelf(t *testing.T) {
	table := open(t)
	for _, name := range []string{"a", "b", "b", "a"} {
		table.must(t, sh(name, "exit 7"))
		if got := drainAll(t, table.watch(t, "", name))[name]; got.code != 7 || got.closed != 1 {
			t.Errorf("%s: %+v", name, got)
		}
		left, err := table.dir.names()
		if err != nil || !slices.Equal(left, []string{"0-" + name + extRecord}) {
			t.Errorf("left in the directory: %q, %v", left, err)
		}
		if info, err := os.Stat(filepath.Join(table.dir.file.Name(), left[0])); err != nil || info.Size() != 0 {
			t.Errorf("%+v, %v", info, err)
		}
	}
	table.must(t, sh("c", "sleep 100"))
	f, err := os.Open(table.dir.file.Name() + "/0-c" + extRecord)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entries, err := readRecord(f)
	if err != nil || len(entries) != 2 || entries[0].Spec == nil || entries[0].Spec.Name != "c" || entries[1].Run == nil {
		t.Errorf("%+v, %v", entries, err)
	}
	if _, err := table.shelf.take("0-c" + extRecord); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a record that is there was given away: %v", err)
	}
}

// TestSparesOfTheDead: a server that follows one that died removes what that had put aside.
func TestSparesOfTheDead(t *testing.T) {
	table := first(t)
	table.must(t, sh("a", "exit 3"))
	table.must(t, sh("b", "exit 3"))
	drainAll(t, table.watch(t, "", "b"))
	if err := os.WriteFile(filepath.Join(table.dir.file.Name(), "0-c"+extRecord), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	next := reopen(t, table, holder.Past{Holder: os.Getpid()})
	if names, err := next.dir.names(); err != nil || !slices.Equal(names, []string{"0-a" + extRecord}) {
		t.Errorf("%q, %v", names, err)
	}
}
