package holder

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestJoinWithoutRoom: a server that has no room for what was kept does not go on without it, as if its owner had none.
func TestJoinWithoutRoom(t *testing.T) {
	ours, theirs, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	raw, err := ours.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	f := temp(t, "f")
	fd := int(f.Fd())
	for _, m := range []message{{Op: opHeld, Key: "a", fds: []int{fd}}, {Op: opHeld, Key: "b", fds: []int{fd, fd}}, {Op: opJoined, Version: version}} {
		if err := send(raw, m); err != nil {
			t.Fatal(err)
		}
	}
	free, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(free); err != nil {
		t.Fatal(err)
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = uint64(free)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	_, past, err := join(theirs)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err == nil || !strings.Contains(err.Error(), `taking back "a"`) {
		t.Errorf("%+v, %v", past, err)
	}
}
