//go:build linux

package trampoline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// astray is set for a copy that is to go on as if it were none.
const astray = "TRAMPOLINE_ASTRAY"

func TestMain(m *testing.M) {
	if os.Getenv(astray) != "" {
		_, err := Start(&Orders{Path: "/bin/true", Argv: []string{"true"}}, os.ProcAttr{})
		fmt.Print(err)
		os.Exit(0)
	}
	if Asked(os.Args) {
		Main(os.Args)
	}
	goleak.VerifyTestMain(m)
}

// run starts sh with the orders, and returns what it says.
func run(t *testing.T, o Orders, script string) (string, error) {
	t.Helper()
	o.Path, o.Argv = "/bin/sh", []string{"sh", "-c", script}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, err := Start(&o, os.ProcAttr{Files: []*os.File{null, w, os.Stderr}})
	w.Close()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text)), nil
}

// TestNoEnd: a program that does not know its copies does not start them without end.
func TestNoEnd(t *testing.T) {
	cmd := exec.Command(os.Args[0], Verb, "3")
	cmd.Env = append(os.Environ(), astray+"=1")
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), errAstray.Error()) {
		t.Errorf("%q, %v; want %q", out, err, errAstray)
	}
}

func TestWhatIsSet(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, script, want string
		orders             Orders
	}{
		{"umask", "umask", "0027", Orders{Umask: 0o027}},
		{"umask 0", "umask", "0000", Orders{Umask: 0}},
		{"dir", "pwd", dir, Orders{Umask: -1, Dir: dir}},
		{"env", `echo "$A:$HOME"`, "1\xff:", Orders{Umask: -1, Env: []string{"A=1\xff"}}},
		{"limits", "ulimit -n; ulimit -Hn", "37\n41", Orders{Umask: -1, Limits: []Limit{{"nofile", syscall.RLIMIT_NOFILE, 37, 41}}}},
		{"the socket is not left open", "ls -l /proc/self/fd | grep -c socket:", "0", Orders{Umask: -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := run(t, c.orders, c.script); err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestNice(t *testing.T) {
	before, err := run(t, Orders{Umask: -1}, "nice")
	if err != nil {
		t.Fatal(err)
	}
	after, err := run(t, Orders{Umask: -1, Nice: 3}, "nice")
	if err != nil || before != "0" || after != "3" {
		t.Errorf("nice was %s and is %s, %v", before, after, err)
	}
}

func TestTheStepThatFailed(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		step   string
		err    error
		orders Orders
	}{
		{"exec", syscall.ENOENT, Orders{Umask: -1, Path: "/does/not/exist", Argv: []string{"x"}}},
		{"dir", syscall.ENOENT, Orders{Umask: -1, Path: "/bin/true", Argv: []string{"x"}, Dir: "/does/not/exist"}},
		{"limit nofile", syscall.EINVAL, Orders{Umask: -1, Path: "/bin/true", Limits: []Limit{{"nofile", syscall.RLIMIT_NOFILE, 41, 37}}}},
	} {
		_, err := Start(&c.orders, os.ProcAttr{Files: []*os.File{null, null, null}})
		var e *Error
		if !errors.As(err, &e) || e.Step != c.step || !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.step, err)
		}
	}
}

func TestMuch(t *testing.T) {
	o := Orders{Umask: -1, Env: []string{"A=" + strings.Repeat("x", 100_000), "B=" + strings.Repeat("y", 100_000)}}
	if got, err := run(t, o, `echo ${#A} ${#B}`); err != nil || got != "100000 100000" {
		t.Errorf("%q, %v", got, err)
	}
	o.Env = []string{strings.Repeat("x", maxOrders)}
	if _, err := run(t, o, ""); !errors.Is(err, syscall.E2BIG) {
		t.Errorf("%v", err)
	}
}

// Without a parent that gives orders there is nothing to be had.
func TestNotForPeople(t *testing.T) {
	for _, argv := range [][]string{{"x", Verb}, {"x", Verb, "0"}, {"x", Verb, "1"}, {"x", Verb, "-4"}, {"x", Verb, "7"}, {"x", Verb, "3", "/bin/sh"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		p, err := os.StartProcess("/proc/self/exe", argv, &os.ProcAttr{Files: []*os.File{null, w, w}})
		if err != nil {
			t.Fatal(err)
		}
		w.Close()
		null.Close()
		text, err := io.ReadAll(r)
		r.Close()
		st, werr := p.Wait()
		if err != nil || werr != nil || st.ExitCode() != exitUsage || !bytes.Contains(text, []byte("not for people")) {
			t.Errorf("%q: %v, %q, %v, %v", argv, st, text, err, werr)
		}
	}
}

// Orders of another user are none, wherever the socket comes from.
func TestNotForOtherUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	runtime.LockOSThread() // whose user it is
	set := func(uid int) {
		if _, _, no := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); no != 0 {
			panic(no)
		}
	}
	set(65534)
	mine, its, err := socketpair()
	set(0)
	runtime.UnlockOSThread()
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	text, err := (&Orders{Umask: -1, Path: "/bin/echo", Argv: []string{"echo", "obeyed"}}).encode()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = mine.Write(text) }()
	cmd := exec.Command("/proc/self/exe", Verb, "3")
	cmd.ExtraFiles = []*os.File{its}
	out, err := cmd.CombinedOutput()
	its.Close()
	if cmd.ProcessState.ExitCode() != exitUsage || !bytes.Contains(out, []byte("it is of user 65534")) {
		t.Errorf("%q, %v", out, err)
	}
}

// What is no socket is not even read: a terminal would wait for somebody to type, and a fifo for ever.
func TestNotFromFiles(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	for _, f := range []*os.File{r, w, zero} {
		cmd := exec.Command("/proc/self/exe", Verb, "3")
		cmd.ExtraFiles = []*os.File{f}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitUsage || !bytes.Contains(out, []byte("not for people")) {
			t.Errorf("%q, %v", out, err)
		}
	}
}

func TestOrdersAreBounded(t *testing.T) {
	for _, text := range []string{"", "\x00", "\xff\xff\xff\xff", "\x00\x00\x00\x04abcd", "\x00\x00\x00\x10ab"} {
		if _, err := readOrders(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// Variables such as GODEBUG and LD_PRELOAD work on the program, and not on the copy before it, which may have more rights.
func TestVariablesComeLate(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := Orders{Umask: -1, Path: "/bin/sh", Argv: []string{"sh", "-c", "echo $GODEBUG >&2"}, Env: []string{"GODEBUG=inittrace=1"}}
	p, err := Start(&o, os.ProcAttr{Files: []*os.File{nil, nil, w}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || string(text) != "inittrace=1\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := p.Wait(); err != nil {
		t.Error(err)
	}
}
