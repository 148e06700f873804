package admin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseStatIsStrict(t *testing.T) {
	t.Parallel()
	const good = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 1000 4096 5 18446744073709551615"
	boot := time.Unix(1_000_000, 0)
	want := Process{
		PID: 7, PPID: 1, Name: "a) b", State: "S", Threads: 3, CPUSeconds: 3,
		Start: boot.Add(10 * time.Second), Resident: int64(5 * os.Getpagesize()),
	}
	if p, err := parseStat(good, boot); err != nil || fmt.Sprint(p) != fmt.Sprint(want) {
		t.Errorf("%+v, %v, want %+v", p, err, want)
	}
	for _, bad := range []string{
		"", "7", "7 (a", "7 a) S 1", ") 7 (", "7 (a) S 1 7 7 0",
		"x (a) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 1000 4096 5",
		"7 (a) S x 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 1000 4096 5",
		"7 (a) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 x 4096 5",
	} {
		if p, err := parseStat(bad, boot); err == nil {
			t.Errorf("%q is taken for %+v", bad, p)
		}
	}
}

func TestParseInet(t *testing.T) {
	t.Parallel()
	const tail = " 00000000:00000000 00:00000000 00000000   33        0 4711 1 0 100 0 0 10 0"
	for _, tt := range []struct{ protocol, line, want string }{
		{"tcp", "   0: 0100007F:1F90 00000000:0000 0A" + tail, "127.0.0.1:8080"},
		{"tcp6", "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A" + tail, "[::1]:22"},
		{"tcp", "   0: 0100007F:1F90 0100007F:AAAA 01" + tail, ""}, // established
		{"udp", "   0: 00000000:0035 00000000:0000 07" + tail, "0.0.0.0:53"},
		{"udp", "   0: 0100007F:0035 0100007F:AAAA 01" + tail, ""}, // connected
		{"tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", ""},
		{"tcp", "   0: 01007F:1F90 00000000:0000 0A" + tail, ""},
		{"tcp", "   0: XX00007F:1F90 00000000:0000 0A" + tail, ""},
		{"tcp", "   0: 0100007F:FFFFF 00000000:0000 0A" + tail, ""},
		{"tcp", "", ""},
	} {
		l, ok := parseInet(tt.protocol, tt.line)
		if ok != (tt.want != "") || l.Address != tt.want || ok && (l.UID != 33 || l.Inode != 4711) {
			t.Errorf("%q: %+v, %v, want %s", tt.line, l, ok, tt.want)
		}
	}
}

func TestParseUnix(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/a socket": "/run/a socket",
		"0000000000000000: 00000002 00000000 00010000 0001 01 4711 @abstract":     "@abstract",
		"0000000000000000: 00000002 00000000 00000000 0002 01 4711 /run/datagram": "",
		"0000000000000000: 00000003 00000000 00000000 0001 03 4711":               "",
		"Num       RefCount Protocol Flags    Type St Inode Path":                 "",
		"rest of a path with a line break":                                        "",
	} {
		if l, ok := parseUnix("unix", line); ok != (want != "") || l.Address != want {
			t.Errorf("%q: %+v, %v, want %q", line, l, ok, want)
		}
	}
}

// TestCommandRunStopsAll cancels a program that ignores SIGTERM, as does its child.
func TestCommandRunStopsAll(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "ready")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := CommandRun(ctx, RunRequest{
			Argv:    []string{"sh", "-c", `trap "" TERM; sleep 1000 >/dev/null 2>&1 & echo $! >"$0"; wait`, pipe},
			Capture: true,
		})
		failed <- err
	}()
	text, err := os.ReadFile(pipe) // waits until the child is there
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscan(string(text), &child); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(child, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not context.Canceled", err)
	}
	// A descriptor of a process can be read from when the process has ended.
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); n != 1 {
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		t.Errorf("the child still runs: %v", err)
	}
}
