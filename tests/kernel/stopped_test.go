//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// halt stops a process, and waits until it is.
func halt(t *testing.T, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if slices.ContainsFunc(processes(t), func(p process) bool { return p.PID == pid && p.State == "T" }) {
			return
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("process %d does not stop", pid)
		}
	}
}

// TestHolderIsStopped: what does not need the holder goes on, also when no more can be sent to it. When it is continued,
// what waited for it is done, and nothing is lost.
func TestHolderIsStopped(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	c := open(t, o)
	holder, _ := roles(t, set.Socket)
	halt(t, holder)
	const most = 20000 // more than are on their way to somebody who does not read
	n := 0
	for ; ; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		_, err := c.MakeProcess(ctx, fmt.Sprintf("p.%d", n), kernel.ProcessSpec{Args: []string{"/bin/true"}, Stdout: kernel.Discard, Stderr: kernel.Discard})
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		must(t, err)
		if n == most {
			t.Skip("NOT TESTED, this system takes everything")
		}
	}
	asked, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if facts, err := c.Status(asked); err != nil || facts["holder"] != strconv.Itoa(holder) {
		t.Errorf("the status: %v, %v", facts, err)
	}
	must(t, c.Set(asked, "v", "1"))
	list, err := c.Processes(asked, "p.0")
	if err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	must(t, syscall.Kill(holder, syscall.SIGCONT))
	for begin := time.Now(); len(list) <= n; time.Sleep(5 * time.Millisecond) { // the one that nobody waits for any more is among them
		list, err = c.Processes(limited(t), "p.*")
		must(t, err)
		if time.Since(begin) > time.Minute {
			t.Fatalf("%d processes of %d", len(list), n+1)
		}
	}
	_, server := roles(t, set.Socket)
	c = another(t, o, server)
	if list, err = c.Processes(limited(t), "p.*"); err != nil || len(list) != n+1 {
		t.Errorf("after the death of the server %d processes of %d, %v", len(list), n+1, err)
	}
	must(t, c.RemoveProcesses(limited(t), "*"))
}

// TestUpgradeWhileTheHolderIsStopped: it does not wait for ever, says what to do, and leaves everything as it was.
func TestUpgradeWhileTheHolderIsStopped(t *testing.T) {
	t.Parallel()
	set := place(t, st.UID)
	c := open(t, start(t, st.UID, set))
	must(t, c.Set(limited(t), "v", "1"))
	next := program(t, set, "one")
	holder, server := roles(t, set.Socket)
	halt(t, holder)
	if _, err := c.Upgrade(limited(t), next); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("kill -CONT %d", holder)) {
		t.Errorf("while the holder is stopped: %v", err)
	}
	must(t, syscall.Kill(holder, syscall.SIGCONT))
	if got, err := c.Get(limited(t), "v"); got != "1" || err != nil {
		t.Errorf("afterwards: %q, %v", got, err)
	}
	if _, err := c.Upgrade(limited(t), next); err != nil {
		t.Errorf("another time: %v", err)
	}
	if h, s := roles(t, set.Socket); h != holder || s != server || runs(t, h) != next || runs(t, s) != next {
		t.Errorf("holder %d and server %d, and now %d and %d", holder, server, h, s)
	}
}

// TestServerIsStopped: who comes meanwhile is told that somebody listens and says nothing, and starts no other kernel. Who
// waits is answered when it is continued.
func TestServerIsStopped(t *testing.T) {
	set := place(t, st.UID)
	c := open(t, start(t, st.UID, set))
	_, server := roles(t, set.Socket)
	halt(t, server)
	o := order{Options: kernel.Options{Socket: set.Socket, Start: true, Settings: kernel.Settings{State: set.State}, Timeout: time.Second}, Words: []string{"status"}}
	if said := tell(st.UID, "ask", o); !strings.Contains(said, "somebody listens there and says nothing") || !strings.Contains(said, "kill -CONT") {
		t.Errorf("a client says %q", said)
	}
	if said := tell(st.UID, "start", order{Settings: set}); said != kernel.ErrRunning.Error()+"\n" {
		t.Errorf("somebody who starts a kernel says %q", said)
	}
	if list := kernels(t, set.Socket); len(list) != 2 {
		t.Errorf("there are %+v", list)
	}
	done := make(chan error, 1)
	go func() { done <- c.Set(t.Context(), "v", "1") }()
	must(t, syscall.Kill(server, syscall.SIGCONT))
	must(t, <-done)
}

// TestHolderIsStoppedAtTheEnd: the lock of a kernel whose server has ended, and whose holder cannot, is not taken for a kernel
// without a word.
func TestHolderIsStoppedAtTheEnd(t *testing.T) {
	t.Parallel()
	set := place(t, st.UID)
	start(t, st.UID, set)
	holder, server := roles(t, set.Socket)
	halt(t, holder)
	must(t, syscall.Kill(server, syscall.SIGTERM))
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Lstat(set.Socket); err != nil {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("the server does not end")
		}
	}
	out, _ := copyAs(st.UID, "serve", order{Settings: set}).CombinedOutput()
	if said := string(out); !strings.Contains(said, "does not listen; it may be stopped") {
		t.Errorf("it says %q", said)
	}
	must(t, syscall.Kill(holder, syscall.SIGCONT))
	if said := tell(st.UID, "start", order{Settings: set}); said != "" {
		t.Errorf("afterwards: %q", said)
	}
}

// TestUpgradeThatHangs: a program that neither works nor dies is not waited for.
func TestUpgradeThatHangs(t *testing.T) {
	t.Parallel()
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	o.Timeout = 2 * time.Minute
	c := open(t, o)
	must(t, c.Set(limited(t), "v", "1"))
	_, err := c.Upgrade(limited(t), program(t, set, "hangs"))
	if err == nil || !strings.Contains(err.Error(), "connection ended") && !strings.Contains(err.Error(), "did not get ready") {
		t.Errorf("a program that hangs: %v", err)
	}
	if got, err := open(t, o).Get(limited(t), "v"); got != "1" || err != nil {
		t.Errorf("%q, %v: the program before goes on", got, err)
	}
	if _, server := roles(t, set.Socket); runs(t, server) != st.Binary {
		t.Errorf("the server is %s", runs(t, server))
	}
}

// TestUpgradesAtOnce: one after the other, and holder and server are the same program in the end.
func TestUpgradesAtOnce(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	o.Timeout = time.Minute
	programs := []string{program(t, set, "one"), program(t, set, "two"), program(t, set, "three")}
	for range sized(1, 20) {
		said := make(chan error)
		for i := range 2 * len(programs) {
			c := open(t, o)
			go func() {
				_, err := c.Upgrade(limited(t), programs[i%len(programs)])
				said <- err
			}()
		}
		for range 2 * len(programs) {
			if err := <-said; err != nil {
				t.Error(err)
			}
		}
		c := open(t, o)
		must(t, c.Set(limited(t), "v", "1"))
		for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) { // the holder comes after its server
			h, s := roles(t, set.Socket)
			if h != 0 && runs(t, h) == runs(t, s) {
				break
			}
			if time.Since(begin) > time.Minute {
				t.Fatalf("the holder is %s, the server %s", runs(t, h), runs(t, s))
			}
		}
	}
}

// TestFault9DiskFullWithinALine: what a disk has room for of a line is taken away again, so that the lines that follow can be read.
func TestFault9DiskFullWithinALine(t *testing.T) {
	set := place(t, st.UID)
	must(t, os.Mkdir(set.State, 0o700))
	if err := unix.Mount("tmpfs", set.State, "tmpfs", 0, fmt.Sprintf("size=2m,mode=0700,uid=%d", st.UID)); err != nil {
		t.Skipf("NOT TESTED, no tmpfs can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(set.State, unix.MNT_DETACH) })
	o := start(t, st.UID, set)
	c := open(t, o)
	record := filepath.Join(set.State, "processes", strconv.Itoa(st.UID)+"-a.record")
	spec := kernel.ProcessSpec{Args: []string{"/bin/sleep", "1000"}, Env: []string{"PAD="}, Stdout: kernel.Discard, Stderr: kernel.Discard}
	for range 2 { // the second time its record ends a little before the end of a page
		_, err := c.MakeProcess(limited(t), "a", spec)
		must(t, err)
		info, err := os.Stat(record)
		must(t, err)
		if len(spec.Env[0]) > len("PAD=") {
			if left := 4096 - info.Size()%4096; left < 10 || left > 50 {
				t.Fatalf("the record has %d bytes", info.Size())
			}
			break
		}
		must(t, c.StopProcesses(limited(t), time.Minute, "a"))
		must(t, c.RemoveProcesses(limited(t), "a"))
		spec.Env[0] += strings.Repeat("x", 2*4096-30-int(info.Size()))
	}
	filler := filepath.Join(set.State, "filler")
	must(t, fill(filler, 0))
	must(t, c.StopProcesses(limited(t), time.Minute, "a")) // of which no note can be made
	must(t, os.Remove(filler))
	w, err := c.WatchProcesses(limited(t), kernel.WatchOptions{Consumer: "someone"}, "a") // of which a note is made
	must(t, err)
	_, err = w.Read(limited(t))
	must(t, err)
	_, server := roles(t, set.Socket)
	c = another(t, o, server)
	if list, err := c.Processes(limited(t)); err != nil || len(list) != 1 || list[0].Name != "a" {
		t.Errorf("%+v, %v", list, err)
	}
}
