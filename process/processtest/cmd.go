package processtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

func output(t *testing.T, p Place) {
	out, err := process.Command(within(t), p.Courier, "echo", "a b", "$HOME", "*").Output()
	if err != nil || string(out) != "a b $HOME *\n" {
		t.Errorf("%q, %v", out, err)
	}
	out, err = process.Command(within(t), p.Courier, "sh", "-c", "echo stdout; echo 1>&2 stderr").CombinedOutput()
	if err != nil || string(out) != "stdout\nstderr\n" {
		t.Errorf("%q, %v", out, err)
	}
	cmd := process.Command(within(t), p.Courier, "tr", "a-z", "A-Z")
	cmd.Stdin = strings.NewReader("some input")
	var b strings.Builder
	cmd.Stdout = &b
	if err := cmd.Run(); err != nil || b.String() != "SOME INPUT" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if s := cmd.ProcessState; !s.Success() || !s.Exited() || s.Pid() <= 0 || s.Pid() != cmd.Process.PID() || s.String() != "exit status 0" {
		t.Errorf("%+v", s)
	}
}

func environ(t *testing.T, p Place) {
	cmd := process.Command(within(t), p.Courier, "pwd")
	cmd.Dir = "/usr"
	cmd.Env = append(cmd.Environ(), "POSIXLY_CORRECT=1")
	if cmd.Err != nil || !slices.Contains(cmd.Env, "PWD=/usr") {
		t.Errorf("%q, %v", cmd.Env, cmd.Err)
	}
	if out, err := cmd.Output(); err != nil || string(out) != "/usr\n" {
		t.Errorf("%q, %v", out, err)
	}
	cmd = process.Command(within(t), p.Courier, "env")
	cmd.Env = []string{"A=1", "B=x=y", "A=2"}
	if out, err := cmd.Output(); err != nil || !sameLines(string(out), "A=2\nB=x=y\n") {
		t.Errorf("%q, %v", out, err)
	}
	cmd = process.Command(within(t), p.Courier, "env")
	cmd.Env = []string{}
	if out, err := cmd.Output(); err != nil || len(out) != 0 {
		t.Errorf("%q, %v", out, err)
	}
	out, err := process.Command(within(t), p.Courier, "env").Output() // those of whoever starts it
	far, err2 := process.On(p.Courier).Environ(within(t))
	if err != nil || err2 != nil || !sameLines(string(out), strings.Join(far, "\n")) || !strings.Contains("\n"+string(out), "\nPATH=") {
		t.Errorf("%q is not %q: %v, %v", out, far, err, err2)
	}
}

func sameLines(a, b string) bool {
	split := func(s string) []string {
		return slices.Sorted(slices.Values(strings.Split(strings.TrimSuffix(s, "\n"), "\n")))
	}
	return slices.Equal(split(a), split(b))
}

func lookPath(t *testing.T, p Place) {
	path, err := process.On(p.Courier).LookPath(within(t), "sh")
	if err != nil || !strings.HasSuffix(path, "/sh") || path[0] != '/' {
		t.Errorf("%q, %v", path, err)
	}
	var e *exec.Error
	if _, err := process.On(p.Courier).LookPath(within(t), "prog-that-is-not"); !errors.Is(err, exec.ErrNotFound) || !errors.As(err, &e) || e.Name != "prog-that-is-not" {
		t.Errorf("%v", err)
	}
	cmd := process.Command(within(t), p.Courier, "prog-that-is-not", "x")
	if cmd.String() != "prog-that-is-not x" {
		t.Errorf("%q", cmd)
	}
	if err := cmd.Run(); !errors.Is(err, exec.ErrNotFound) || cmd.Process != nil || cmd.ProcessState != nil {
		t.Errorf("%v", err)
	}
	cmd = process.Command(within(t), p.Courier, "sh", "-c", ":")
	if err := cmd.Run(); err != nil || cmd.Path != path || cmd.Args[0] != "sh" || cmd.String() != path+" -c :" {
		t.Errorf("%q, %q, %v", cmd.Path, cmd, err)
	}
	if err := process.Command(within(t), p.Courier, "/does/not/exist").Run(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := process.Command(within(t), p.Courier, "/usr").Run(); !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v", err)
	}
	cmd = process.Command(within(t), p.Courier, "./sh", "-c", "pwd") // relative to Dir
	cmd.Dir = path[:len(path)-len("sh")]
	if out, err := cmd.Output(); err != nil || !strings.HasSuffix(string(out), "bin\n") {
		t.Errorf("%q, %v", out, err)
	}
}

func exit(t *testing.T, p Place) {
	out, err := process.Command(within(t), p.Courier, "sh", "-c", "echo out; echo err >&2; exit 7").Output()
	var e *process.ExitError
	if !errors.As(err, &e) || e.ExitCode() != 7 || e.Signal != "" || string(e.Stderr) != "err\n" || string(out) != "out\n" || err.Error() != "exit status 7" {
		t.Errorf("%q, %#v", out, err)
	}
	err = process.Command(within(t), p.Courier, "sh", "-c", "kill -KILL $$").Run()
	if !errors.As(err, &e) || e.ExitCode() != -1 || e.Signal != "SIGKILL" || e.Stderr != nil || err.Error() != "signal: killed" {
		t.Errorf("%#v", err)
	}
	_, err = process.Command(within(t), p.Courier, "sh", "-c", "echo begin >&2; i=0; while [ $i -lt 3000 ]; do echo "+strings.Repeat("x", 50)+" >&2; i=$((i+1)); done; echo end >&2; exit 1").Output()
	if !errors.As(err, &e) || !bytes.HasPrefix(e.Stderr, []byte("begin\n")) || !bytes.HasSuffix(e.Stderr, []byte("xx\nend\n")) ||
		!bytes.Contains(e.Stderr, []byte("... omitting ")) || len(e.Stderr) > 66<<10 {
		t.Errorf("%d bytes of stderr, %v", len(e.Stderr), err)
	}
}

func misuse(t *testing.T, p Place) {
	cmd := process.Command(within(t), p.Courier, "true")
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "not started") {
		t.Errorf("%v", err)
	}
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{"already started": cmd.Start(), "already called": cmd.Wait()} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := cmd.StdoutPipe(); err == nil {
		t.Error("a pipe after the start")
	}
	cmd = process.Command(within(t), p.Courier, "true")
	cmd.Stdout = io.Discard
	if _, err := cmd.Output(); err == nil || !strings.Contains(err.Error(), "Stdout already set") {
		t.Errorf("%v", err)
	}
	if _, err := cmd.CombinedOutput(); err == nil {
		t.Error("Stdout is set")
	}
	if err := (&process.Cmd{}).Run(); err == nil || !strings.Contains(err.Error(), "no command") {
		t.Errorf("%v", err)
	}
	cmd = &process.Cmd{Path: "/bin/true", Cancel: func() error { return nil }}
	if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), "context") {
		t.Errorf("%v", err)
	}
	for _, entry := range []string{"A", "=b"} {
		cmd = process.Command(within(t), p.Courier, "true")
		cmd.Env = []string{entry}
		var wrong *process.ConfigError
		if err := cmd.Run(); !errors.As(err, &wrong) || wrong.Field != "env" {
			t.Errorf("%q: %v", entry, err)
		}
	}
	if p.Courier == nil {
		return
	}
	cmd = process.Command(within(t), p.Courier, "true")
	cmd.ExtraFiles = []*os.File{os.Stdin}
	if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), "this machine alone") {
		t.Errorf("%v", err)
	}
	_, err := process.On(p.Courier).Start(within(t), process.Config{Cmdline: "true", Detach: true})
	if err == nil || !strings.Contains(err.Error(), "job") {
		t.Errorf("%v", err)
	}
}

// A reader that fails, and one that has more than is read.
func stdin(t *testing.T, p Place) {
	cmd := process.Command(within(t), p.Courier, "sh", "-c", "read line; echo $line")
	cmd.Stdin = strings.NewReader("one\n" + strings.Repeat("x", 1<<20))
	if out, err := cmd.Output(); err != nil || string(out) != "one\n" {
		t.Errorf("%q, %v", out, err)
	}
	cmd = process.Command(within(t), p.Courier, "cat")
	cmd.Stdin = io.MultiReader(strings.NewReader("begin"), failing{})
	if out, err := cmd.Output(); err == nil || !strings.Contains(err.Error(), "it fails") || string(out) != "begin" {
		t.Errorf("%q, %v", out, err)
	}
	cmd = process.Command(within(t), p.Courier, "cat")
	if out, err := cmd.Output(); err != nil || len(out) != 0 { // nil is the null device
		t.Errorf("%q, %v", out, err)
	}
	cmd = process.Command(within(t), p.Courier, "sh", "-c", "while echo xxxxxxxxxxxxxxxxx; do :; done")
	cmd.Stdout = failing{}
	if err := cmd.Run(); err == nil {
		t.Error("a writer failed, and nobody said so")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errors.New("it fails") }
func (failing) Write([]byte) (int, error) { return 0, errors.New("it fails") }

func pipes(t *testing.T, p Place) {
	// Of os/exec's examples.
	cmd := process.Command(within(t), p.Courier, "echo", `{"Name": "Bob", "Age": 32}`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var person struct {
		Name string
		Age  int
	}
	if err := json.NewDecoder(stdout).Decode(&person); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil || fmt.Sprint(person) != "{Bob 32}" {
		t.Errorf("%v, %v", person, err)
	}

	cmd = process.Command(within(t), p.Courier, "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer in.Close()
		_, _ = io.WriteString(in, "values written to stdin are passed to cmd's standard input")
	}()
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "values written to stdin are passed to cmd's standard input" {
		t.Errorf("%q, %v", out, err)
	}

	cmd = process.Command(within(t), p.Courier, "sh", "-c", "echo stdout; echo 1>&2 stderr")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(stderr); err != nil || string(all) != "stderr\n" {
		t.Errorf("%q, %v", all, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}

	// To and fro.
	cmd = process.Command(within(t), p.Courier, "cat")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	for range 20 {
		if _, err := io.WriteString(in, "ping"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, buf); err != nil || string(buf) != "ping" {
			t.Fatalf("%q, %v", buf, err)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := in.Write([]byte("x")); err == nil {
		t.Error("written after the end")
	}
}

func cancelled(t *testing.T, p Place) {
	ctx, cancel := context.WithCancel(within(t))
	cmd := process.Command(ctx, p.Courier, "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	err := cmd.Wait()
	var e *process.ExitError
	if !errors.As(err, &e) || e.Signal != "SIGKILL" {
		t.Errorf("%v", err)
	}
	if err := process.Command(ctx, p.Courier, "true").Run(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}

	// A Cancel of one's own, which the process takes as it likes.
	ctx, cancel = context.WithCancel(within(t))
	cmd = process.Command(ctx, p.Courier, "sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done")
	cmd.Cancel = func() error { return cmd.Process.Signal(context.Background(), sigterm) }
	x := newSeen()
	cmd.Stdout = x
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x.until(t, func(s string) bool { return s == "ready\n" })
	cancel()
	if err := cmd.Wait(); !errors.Is(err, context.Canceled) || !cmd.ProcessState.Success() {
		t.Errorf("%v, %v", err, cmd.ProcessState)
	}

	// One that is of no use, and a WaitDelay.
	ctx, cancel = context.WithCancel(within(t))
	cmd = process.Command(ctx, p.Courier, "sh", "-c", "trap '' TERM; echo ready; sleep 1000")
	cmd.Cancel = func() error { return cmd.Process.Signal(context.Background(), sigterm) }
	cmd.WaitDelay = 50 * time.Millisecond
	x = newSeen()
	cmd.Stdout = x
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x.until(t, func(s string) bool { return s == "ready\n" })
	cancel()
	if err := cmd.Wait(); !errors.As(err, &e) || e.Signal != "SIGKILL" {
		t.Errorf("%v", err)
	}
}

func waitDelay(t *testing.T, p Place) {
	cmd := process.Command(within(t), p.Courier, "sh", "-c", "sleep 1000 & echo early")
	want := exec.ErrWaitDelay
	cmd.WaitDelay = 50 * time.Millisecond
	if p.Courier != nil { // there, what is left ends with it
		want, cmd.WaitDelay = nil, Patience
	}
	var b strings.Builder
	cmd.Stdout = &b
	if err := cmd.Run(); !errors.Is(err, want) {
		t.Errorf("%v", err)
	}
	if b.String() != "early\n" || !cmd.ProcessState.Success() {
		t.Errorf("%q, %v", b.String(), cmd.ProcessState)
	}
	if p.Courier == nil { // the one that is left has the group's number
		if err := syscall.Kill(-cmd.ProcessState.PID, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
}

func bulk(t *testing.T, p Place) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	cmd := process.Command(within(t), p.Courier, "cat")
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.Output(); err != nil || !bytes.Equal(out, data) {
		t.Errorf("%d bytes came back of %d, %v", len(out), len(data), err)
	}
}
