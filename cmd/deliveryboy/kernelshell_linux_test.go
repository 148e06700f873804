package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
)

// linked is a link to this test binary under the name of the command, so that it is that.
func linked(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "deliveryboy")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// A typist sits at a terminal.
type typist struct {
	t    *testing.T
	near *os.File
	seen string
}

// sitDown starts a command at a terminal of its own.
func sitDown(t *testing.T, args ...string) (*typist, *exec.Cmd) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("NOT TESTED, no terminals: ", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	near := os.NewFile(uintptr(fd), "terminal") // not blocking, so that it has deadlines
	t.Cleanup(func() { near.Close() })
	far, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	cmd := exec.Command(linked(t), args...) //nolint:noctx // the test ends it
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return &typist{t: t, near: near}, cmd
}

// expect reads until a text has come, and forgets what was before.
func (k *typist) expect(text string) { k.t.Helper(); k.either(text) }

// either is expect for one of several texts, and returns it.
func (k *typist) either(texts ...string) string {
	k.t.Helper()
	_ = k.near.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 4096)
	for {
		for _, text := range texts {
			if _, after, ok := strings.Cut(k.seen, text); ok {
				k.seen = after
				return text
			}
		}
		n, err := k.near.Read(buf)
		if err != nil {
			k.t.Fatalf("waiting for %q: %v; it shows %q", texts, err, k.seen)
		}
		k.seen += string(buf[:n])
	}
}

func (k *typist) enter(text string) {
	k.t.Helper()
	if _, err := k.near.WriteString(text); err != nil {
		k.t.Fatal(err)
	}
}

// TestKernelShell: a prompt with history, completion of commands and names, errors, and a watch that asks.
func TestKernelShell(t *testing.T) {
	o := kerneltest.Start(t)
	k, cmd := sitDown(t, "kernel", "shell", "--socket", o.Socket)
	k.expect("deliveryboy kernel 1.")
	k.expect("> ")
	k.enter("set app.color \"a\\x1b[2Jb\"\r")
	k.expect("> ")
	k.enter("get app.c\t\r") // a name
	k.expect(`get app.color`)
	k.expect(`"a\x1b[2Jb"`) // and no control character
	k.enter("li\tv\t\r")    // two words
	k.expect("list values")
	k.expect(`app.color "a\x1b[2Jb"`)
	k.enter("frobnicate\r")
	k.expect("Error: Unknown command frobnicate")
	k.enter("set a 'b\r")
	k.expect("Error: column 7: this single quote has no end")
	k.enter("make process p /bin/sh -c 'echo hello; exit 3'\r")
	k.expect("p pid=")
	k.enter("watch processes p\r")
	k.expect("out:p:")
	k.expect("hello")
	for k.either("] ", "Nothing left to watch") == "] " {
		k.enter("\r")
	}
	k.enter("\x1b[A") // history
	k.expect("watch processes p")
	k.enter("\x15quit\r")
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("quit does not end it")
	}
}

// TestPA03Program: a program that cannot be a kernel itself starts the command.
func TestPA03Program(t *testing.T) {
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	o := kernel.Options{Socket: filepath.Join(dir, "r", "k"), Start: true, Program: linked(t), Settings: kernel.Settings{
		State: filepath.Join(dir, "state"), AllowUIDs: []int{12345}, Connections: 7, Log: filepath.Join(dir, "log"), PIDFile: filepath.Join(dir, "pid"),
	}}
	c, err := kernel.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"state/values", "log", "pid"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	if idle, err := c.ExitIfIdle(t.Context()); !idle || err != nil {
		t.Errorf("%v, %v", idle, err)
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(o.Socket); os.IsNotExist(err) {
			return
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("it does not end")
		}
	}
}
