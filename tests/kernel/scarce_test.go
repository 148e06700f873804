//go:build linux

package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// descriptors is how many a process has open.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	must(t, err)
	return len(list)
}

// talkers starts processes that repeat a line and end with a code of their own.
func talkers(t *testing.T, c *kernel.Client, n int) {
	t.Helper()
	for i := range n {
		script := fmt.Sprintf(`read x; echo "$x"; exit %d`, i+1)
		_, err := c.MakeProcess(limited(t), fmt.Sprintf("t.%d", i), kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", script}, Stdin: kernel.Pipe})
		must(t, err)
	}
}

// talked sends them a line, and checks that it comes back, and the codes.
func talked(t *testing.T, c *kernel.Client, n int) {
	t.Helper()
	for i := range n {
		must(t, c.Send(limited(t), fmt.Sprintf("t.%d", i), fmt.Appendf(nil, "line %d\n", i)))
	}
	for i := range n {
		got := result(t, c, fmt.Sprintf("t.%d", i))
		if got.out != fmt.Sprintf("line %d\n", i) || got.lost != 0 || got.code != i+1 {
			t.Errorf("t.%d: %+v", i, got)
		}
	}
}

// another waits for a server that is not the one that was killed.
func another(t *testing.T, o kernel.Options, killed int) *kernel.Client {
	t.Helper()
	must(t, syscall.Kill(killed, syscall.SIGKILL))
	c := open(t, o)
	for serverOf(t, c) == killed {
		c = open(t, o)
	}
	return c
}

// TestServerDiesWithFewDescriptorsLeft: the holder has not enough of them to have each twice.
func TestServerDiesWithFewDescriptorsLeft(t *testing.T) {
	const n, spare = 40, 20
	set := place(t, 0) // whose limits this process may change
	o := start(t, 0, set)
	c := open(t, o)
	talkers(t, c, n)
	holder, server := roles(t, set.Socket)
	var limit unix.Rlimit
	must(t, unix.Prlimit(holder, unix.RLIMIT_NOFILE, nil, &limit))
	limit.Cur = uint64(descriptors(t, holder) + spare)
	must(t, unix.Prlimit(holder, unix.RLIMIT_NOFILE, &limit, nil))
	c = another(t, o, server)
	if now := descriptors(t, holder); uint64(now) > limit.Cur {
		t.Fatalf("the limit of %d does not hold: %d", limit.Cur, now)
	}
	talked(t, c, n)
}

// TestFault9ServerDiesOnAFullDisk: another one comes up at once, and knows every process.
func TestFault9ServerDiesOnAFullDisk(t *testing.T) {
	const n = 5
	set := place(t, st.UID)
	must(t, os.Mkdir(set.State, 0o700))
	if err := unix.Mount("tmpfs", set.State, "tmpfs", 0, fmt.Sprintf("size=2m,mode=0700,uid=%d", st.UID)); err != nil {
		t.Skipf("NOT TESTED, no tmpfs can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(set.State, unix.MNT_DETACH) })
	o := start(t, st.UID, set)
	c := open(t, o)
	talkers(t, c, n)
	must(t, c.Set(limited(t), "v", "kept"))
	filler := filepath.Join(set.State, "filler")
	must(t, fill(filler, 0))
	_, server := roles(t, set.Socket)
	c = another(t, o, server)
	if v, err := c.Get(limited(t), "v"); v != "kept" || err != nil {
		t.Errorf("the value is %q, %v", v, err)
	}
	if list, err := c.Processes(limited(t), "t.*"); err != nil || len(list) != n {
		t.Errorf("%d of %d processes, %v", len(list), n, err)
	}
	must(t, os.Remove(filler))
	talked(t, c, n)
}

// TestLogThatNobodyReads: a kernel whose log is a pipe with nobody at its other end goes on, also as another server.
func TestLogThatNobodyReads(t *testing.T) {
	set := place(t, st.UID)
	set.Log = filepath.Join(filepath.Dir(set.State), "log")
	must(t, unix.Mkfifo(set.Log, 0o600))
	must(t, os.Chown(set.Log, st.UID, st.UID))
	reader, err := os.OpenFile(set.Log, os.O_RDWR, 0) // O_RDWR does not wait for the other end
	must(t, err)
	o := start(t, st.UID, set)
	must(t, reader.Close())
	for range 3 {
		_, server := roles(t, set.Socket)
		c := another(t, o, server)
		must(t, c.Set(limited(t), "v", "1"))
		for begin := time.Now(); ; time.Sleep(time.Millisecond) { // one that dies of its log does so when it says that it serves
			if _, now := roles(t, set.Socket); now == serverOf(t, c) || time.Since(begin) > 30*time.Second {
				break
			}
		}
	}
}

// TestPA60ProbeLeavesSomethingBehind: what a program that was asked what it is has started does not hold the kernel up.
func TestPA60ProbeLeavesSomethingBehind(t *testing.T) {
	set := place(t, st.UID)
	c := open(t, start(t, st.UID, set))
	dir := filepath.Dir(set.State)
	path, pids := filepath.Join(dir, "odd"), filepath.Join(dir, "state", "pid")
	must(t, os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\nsleep 600 &\necho $! >%s\nexit 0\n", pids), 0o755))
	_, err := c.Upgrade(limited(t), path)
	if err == nil || !strings.Contains(err.Error(), "it cannot be a kernel") {
		t.Errorf("%v", err)
	}
	var pid int
	text, err := os.ReadFile(pids)
	must(t, err)
	_, err = fmt.Sscan(string(text), &pid)
	must(t, err)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the upgrade waited for process %d: %v", pid, err)
	}
}

// TestSendThatNobodyReads holds up neither an upgrade nor an end: it says how far it came.
func TestSendThatNobodyReads(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	c, other := open(t, o), open(t, o)
	_, err := c.MakeProcess(limited(t), "deaf", kernel.ProcessSpec{Args: []string{"/bin/sleep", "1000"}, Stdin: kernel.Pipe})
	must(t, err)
	p := dial(t, set.Socket)
	p.say("send process deaf {1000000}\n" + strings.Repeat("x", 1000000) + "\n")
	for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(time.Millisecond) { // until its pipe is full
		if pipeOf(t, c, "deaf") == 64<<10 {
			break
		}
	}
	began := time.Now()
	if _, err := other.Upgrade(limited(t), program(t, set, "one")); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 25*time.Second { // without a word it would be 30 s
		t.Errorf("the upgrade took %s", took)
	}
	if said := p.expect("> "); !strings.Contains(said, "took 65536 of 1000000 bytes when the kernel was to end") {
		t.Errorf("it said %q", said)
	}
	must(t, other.StopProcesses(limited(t), time.Second, "deaf"))
}

// pipeOf is how many bytes wait in the stdin of a process.
func pipeOf(t *testing.T, c *kernel.Client, name string) int {
	t.Helper()
	list, err := c.Processes(limited(t), name)
	must(t, err)
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/0", list[0].PID), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	must(t, err)
	defer f.Close()
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
	must(t, err)
	return n
}

// TestUpgradeWithFewDescriptorsLeft: one that would lose connections does not happen, wherever the descriptors are missing.
func TestUpgradeWithFewDescriptorsLeft(t *testing.T) {
	const n, spare = 30, 20
	set := place(t, 0) // whose limits this process may change
	o := start(t, 0, set)
	c := open(t, o)
	next := program(t, set, "one")
	holder, server := roles(t, set.Socket)
	var people []*person
	for range n {
		people = append(people, dial(t, set.Socket))
	}
	for _, pid := range []int{server, holder} {
		var before unix.Rlimit
		must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before))
		limit := before
		limit.Cur = uint64(descriptors(t, pid) + spare)
		must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil))
		if _, err := c.Upgrade(limited(t), next); err == nil || !strings.Contains(err.Error(), "the one before goes on") {
			t.Errorf("process %d: %v", pid, err)
		}
		must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil))
		for i, p := range people {
			p.say(fmt.Sprintf("set v%d 1\nget v%d\n", i, i))
			p.expect("> 1\n> ")
		}
	}
	if _, err := c.Upgrade(limited(t), next); err != nil {
		t.Error(err)
	}
	for _, p := range people {
		p.say("get v0\n")
		p.expect("1\n> ")
	}
}
