package holder

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func temp(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// TestHoldWhileFilesAreClosed: what a manifest names by number is the same file until it is used, though others close files
// and open new ones meanwhile; what is closed before is left out.
func TestHoldWhileFilesAreClosed(t *testing.T) {
	a, b, gone := temp(t, "a"), temp(t, "b"), temp(t, "gone")
	was := map[string]uint64{"a": inode(t, int(a.Fd())), "b": inode(t, int(b.Fd()))}
	gone.Close()
	var m manifest
	err := m.hold([]Held{{Key: "a", Files: []*os.File{a}}, {Key: "gone", Files: []*os.File{b, gone}}, {Key: "none"}, {Key: "b", Files: []*os.File{b}}}, func() error {
		a.Close()
		b.Close()
		temp(t, "c") // it would get one of the numbers
		var keys []string
		for _, h := range m.Held {
			keys = append(keys, h.Key)
			if len(h.FDs) > 0 && inode(t, h.FDs[0]) != was[h.Key] {
				t.Errorf("%s is another file by now", h.Key)
			}
		}
		if !slices.Equal(keys, []string{"a", "none", "b"}) {
			t.Errorf("the manifest has %q", keys)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestNothingIsInheritedAfterAFailure: when a process could not become another program, what that was to get is closed on exec
// again: the next process that it starts is somebody else's.
func TestNothingIsInheritedAfterAFailure(t *testing.T) {
	f := temp(t, "f")
	fd := int(f.Fd())
	for what, m := range map[string]manifest{
		"no such program":    {Argv: []string{"x"}, Held: []heldNumbers{{Key: "a", FDs: []int{fd}}}},
		"one of them is bad": {Argv: []string{"x"}, Held: []heldNumbers{{Key: "a", FDs: []int{fd, 1 << 20}}}},
	} {
		if err := m.exec("/no/such/program"); err == nil {
			t.Errorf("%s: no error", what)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: it would be inherited: %d, %v", what, flags, err)
		}
	}
}
