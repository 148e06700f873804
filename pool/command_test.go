package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/process"
)

// EB-10: run a command, and get what it wrote and its exit code.
func TestEB10Run(t *testing.T) {
	c := dial(t, newServer(t, pool.ServeOptions{}), owner)
	for _, x := range []struct {
		name string
		run  func() (pool.Output, error)
		want pool.Output
	}{
		{"words", func() (pool.Output, error) { return c.Run(t.Context(), "printf", "%s|", "a b", "$HOME", "*") }, pool.Output{Stdout: []byte("a b|$HOME|*|")}},
		{"line", func() (pool.Output, error) { return c.Shell(t.Context(), "echo out; echo err >&2; exit 3") },
			pool.Output{Stdout: []byte("out\n"), Stderr: []byte("err\n"), Code: 3}},
		{"signal", func() (pool.Output, error) { return c.Shell(t.Context(), "kill -9 $$") }, pool.Output{Code: -1, Signal: "SIGKILL"}},
		{"stdin", func() (pool.Output, error) {
			return c.RunOrder(t.Context(), pool.Order{Argv: []string{"cat"}, Stdin: []byte("a\r\nb\x00")})
		}, pool.Output{Stdout: []byte("a\r\nb\x00")}},
		{"merged", func() (pool.Output, error) {
			return c.RunOrder(t.Context(), pool.Order{Shell: "echo 1; echo 2 >&2; echo 3", Merge: true})
		}, pool.Output{Stdout: []byte("1\n2\n3\n")}},
		{"limit", func() (pool.Output, error) {
			return c.RunOrder(t.Context(), pool.Order{Shell: "printf 0123456789; printf ab >&2", Limit: 4})
		}, pool.Output{Stdout: []byte("0123"), Stderr: []byte("ab"), Dropped: 6}},
		{"place", func() (pool.Output, error) {
			return c.RunOrder(t.Context(), pool.Order{Shell: "pwd; echo $POOL", Dir: "/usr", Env: []string{"POOL=a=b"}})
		}, pool.Output{Stdout: []byte("/usr\na=b\n")}},
	} {
		t.Run(x.name, func(t *testing.T) {
			got, err := x.run()
			must(t, err)
			if string(got.Stdout) != string(x.want.Stdout) || string(got.Stderr) != string(x.want.Stderr) ||
				got.Code != x.want.Code || got.Signal != x.want.Signal || got.Dropped != x.want.Dropped {
				t.Errorf("got %q, %q, %+v", got.Stdout, got.Stderr, got)
			}
		})
	}
	for name, o := range map[string]pool.Order{
		"nothing": {}, "both": {Argv: []string{"ls"}, Shell: "ls"}, "variable": {Argv: []string{"ls"}, Env: []string{"=x"}},
		"limit": {Argv: []string{"ls"}, Limit: 1 << 40}, "no program": {Argv: []string{"/does/not/exist"}},
	} {
		if out, err := c.RunOrder(t.Context(), o); err == nil || out.Code != -1 {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

// A command that is cancelled ends with all that it started, and so does what a command leaves behind.
func TestRunEndsAll(t *testing.T) {
	c := dial(t, newServer(t, pool.ServeOptions{}), owner)
	file := t.TempDir() + "/pid"
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Shell(ctx, "sleep 1000 & echo $! > "+file+"; wait")
		done <- err
	}()
	gone(t, readPID(t, file), func() {
		cancel()
		if err := arrives(t, "the end", done); !errors.Is(err, context.Canceled) {
			t.Errorf("%+v", err)
		}
	})
	file += "2"
	out, err := c.Shell(t.Context(), "sleep 1000 > /dev/null 2>&1 & echo $! > "+file)
	must(t, err)
	if out.Code != 0 {
		t.Errorf("%+v", out)
	}
	gone(t, readPID(t, file), func() {})
}

func readPID(t *testing.T, file string) int {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if text, _ := os.ReadFile(file); len(text) > 0 && text[len(text)-1] == '\n' {
			n := 0
			for _, c := range text[:len(text)-1] {
				n = n*10 + int(c-'0')
			}
			return n
		}
		if time.Now().After(deadline) {
			t.Fatal("the command does not say who it is")
		}
	}
}

// gone wants a process to end because of what f does.
func gone(t *testing.T, pid int, f func()) {
	t.Helper()
	f()
	for deadline := time.Now().Add(patience); lives(pid); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// lives reports whether a process is there, and no zombie.
func lives(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		return !bytes.Contains(stat, []byte(") Z "))
	}
	return syscall.Kill(pid, 0) == nil
}

// EB-15, EB-16: a handle has what a Popen object has.
func TestEB15Handle(t *testing.T) {
	c := dial(t, newServer(t, pool.ServeOptions{}), owner)
	h, err := c.Start(t.Context(), "sh", "-c", "cat; echo done >&2; exit 7")
	must(t, err)
	defer h.Close()
	if _, ended := h.Poll(); ended || h.PID() == 0 {
		t.Errorf("process %d has ended: %t", h.PID(), ended)
	}
	body := bytes.Repeat([]byte("foo\r\nbar"), 244_544/8)
	out, errs, err := h.Communicate(t.Context(), body)
	must(t, err)
	if !bytes.Equal(out, body) || string(errs) != "done\n" {
		t.Errorf("%d bytes came back of %d, and %q", len(out), len(body), errs)
	}
	if code, ended := h.Poll(); !ended || code != 7 {
		t.Errorf("it has ended: %t, with %d", ended, code)
	}

	asleep, err := c.Start(t.Context(), "sleep", "1000")
	must(t, err)
	defer asleep.Close()
	must(t, asleep.Kill(t.Context()))
	state, err := asleep.Wait(t.Context())
	must(t, err)
	if state.Signal != "SIGKILL" {
		t.Errorf("%+v", state)
	}

	asked, err := c.Start(t.Context(), "sh", "-c", `trap "echo caught; exit 5" USR1; echo ready; while :; do sleep 0.01; done`)
	must(t, err)
	defer asked.Close()
	ready := make([]byte, 6)
	if n, err := asked.Stdout.Read(ready); err != nil || string(ready[:n]) != "ready\n" {
		t.Fatalf("%q, %v", ready[:n], err)
	}
	must(t, asked.Signal(t.Context(), syscall.SIGUSR1))
	state, err = asked.Wait(t.Context())
	must(t, err)
	rest, _, err := asked.Communicate(t.Context(), nil)
	if state.Code != 5 || string(rest) != "caught\n" {
		t.Errorf("%+v, %q, %v", state, rest, err)
	}
}

// EB-15: and a command is what os/exec has.
func TestEB15Command(t *testing.T) {
	c := dial(t, newServer(t, pool.ServeOptions{}), owner)
	cmd := c.Command(t.Context(), "tr", "a-z", "A-Z")
	cmd.Stdin = strings.NewReader("hello")
	out, err := cmd.Output()
	if err != nil || string(out) != "HELLO" {
		t.Errorf("%q, %v", out, err)
	}
	var exit *process.ExitError
	if err := c.Command(t.Context(), "sh", "-c", "exit 4").Run(); !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("%v", err)
	}
}

// EB-17: iterators over what comes.
func TestEB17Lines(t *testing.T) {
	c := dial(t, newServer(t, pool.ServeOptions{}), owner)
	h, err := c.Start(t.Context(), "seq", "1", "2000")
	must(t, err)
	defer h.Close()
	n := 0
	for line, err := range h.Stdout.Lines() {
		must(t, err)
		if n++; n == 1 && line != "1" || n == 2000 && line != "2000" {
			t.Errorf("line %d is %q", n, line)
		}
	}
	if n != 2000 {
		t.Errorf("%d lines", n)
	}
}

// EB-13, EB-21: what lives in a worker is referred to, as an argument too, and ends with its call.
func TestEB13EB21HandleAsArgument(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 3}})
	for name, c := range map[string]interface {
		box.Courier
	}{"client": dial(t, s, owner), "session": ownSession(t)} {
		t.Run(name, func(t *testing.T) {
			h, err := pool.On(c).Start(t.Context(), "sleep", "1000")
			must(t, err)
			defer h.Close()
			ref := h.Ref()
			if n, err := refPID.On(c)(t.Context(), ref); err != nil || n != h.PID() {
				t.Errorf("the function has process %d, %v; it is %d", n, err, h.PID())
			}
			must(t, stopRef.On(c)(t.Context(), ref))
			state, err := h.Wait(t.Context())
			must(t, err)
			if state.Signal != "SIGKILL" {
				t.Errorf("%+v", state)
			}
			if _, err := refPID.On(c)(t.Context(), ref); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("what it refers to has ended: %v", err)
			}
		})
	}
}

func ownSession(t *testing.T) *pool.Session {
	t.Helper()
	s, err := open(t, pool.Options{}).Session(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// EB-14: values are copies, in one round trip, whatever they are made of.
func TestEB14Values(t *testing.T) {
	s := newServer(t, pool.ServeOptions{})
	c := dial(t, s, owner)
	out, err := c.Run(t.Context(), "echo", "x")
	must(t, err)
	out.Stdout[0] = 'y' // nobody else has it
	if again, err := c.Run(t.Context(), "echo", "x"); err != nil || string(again.Stdout) != "x\n" {
		t.Errorf("%q, %v", again.Stdout, err)
	}
	if n := s.Stats().Calls; n != 2 {
		t.Errorf("two commands took %d calls", n)
	}
}

// BenchmarkServer is commands of eight clients through a server.
func BenchmarkServer(b *testing.B) {
	s, err := pool.NewServer(b.Context(), pool.ServeOptions{Pool: pool.Options{Size: 8, Min: 8, MaxTasksPerWorker: -1}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var work sync.WaitGroup
	for range 8 {
		c, err := pool.DialVia(b.Context(), s.Via(owner))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		work.Go(func() {
			for range b.N / 8 {
				if out, err := c.Run(b.Context(), "/bin/true"); err != nil || out.Code != 0 {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
}
