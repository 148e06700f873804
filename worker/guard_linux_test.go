package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/internal/proctree"
	"github.com/seed354a1416/deliveryboy/registry"
)

func TestMain(m *testing.M) {
	registry.Seal()
	if Asked(os.Args) {
		Main(os.Args)
	}
	os.Exit(m.Run())
}

// daemons leaves processes that try to get away: in sessions of their own, without a parent.
func daemons(mark string) {
	out, err := exec.Command("sh", "-c", `setsid sh -c "sleep 1000.$0 & setsid sleep 1000.$0 & sleep 1000.$0" >/dev/null 2>&1 & exec sleep 0.05`, mark).CombinedOutput()
	if err != nil {
		panic(fmt.Sprint(err, string(out)))
	}
}

var (
	_ = registry.Register("stay", func(mark string) { daemons(mark); fmt.Println("running"); select {} })
	_ = registry.Register("exit", func(mark string, code int) { daemons(mark); os.Exit(code) })
	_ = registry.Register("signal", func(mark string, sig int) {
		daemons(mark)
		_ = syscall.Kill(os.Getpid(), syscall.Signal(sig))
		select {}
	})
	_ = registry.Register("sum", func(data []byte) int {
		n := 0
		for _, b := range data {
			n += int(b)
		}
		return n
	})
	_ = registry.Register("log", func(ctx context.Context) {
		slog.DebugContext(ctx, "mine", "n", 1)
		slog.Warn("nobody's")
		log.Print("printed")
	})
	_ = registry.Register("descriptors", func() (string, error) {
		out, err := exec.Command("sh", "-c", `ls /proc/$$/fd; env`).Output()
		return string(out), err
	})
)

// A far is a worker behind a shell, which stands for sudo: another program.
type far struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdin   *os.File
	hello   *wire.Hello
	mux     *channel.Mux
	replies chan *box.Reply
	running chan struct{}
	exited  chan struct{}
	mark    string
	logged  chan string
}

func start(t *testing.T, p *wire.Preamble, env []string, files ...*os.File) *far {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &far{t: t, replies: make(chan *box.Reply, 1), running: make(chan struct{}), exited: make(chan struct{}), logged: make(chan string, 8), mark: rand.Text()[:8]}
	f.mark = strconv.Itoa(int([]byte(f.mark)[0])) + strconv.FormatInt(time.Now().UnixNano(), 10)
	f.cmd = exec.Command("sh", "-c", `"$0" __deliver; exit $?`, exe)
	f.cmd.Env = append(append(os.Environ(), "SUDO_UID=1"), env...)
	f.cmd.ExtraFiles, f.cmd.Stderr = files, io.Discard
	in, stdin, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	f.stdin, f.cmd.Stdin, f.cmd.Stdout = stdin, in, out
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	go func() { _ = f.cmd.Wait(); close(f.exited) }()
	p.Registry = registry.Fingerprint()
	w, hello, err := wire.Offer(stdout, stdin, p, wire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.hello = hello
	f.mux = channel.New(w, channel.Options{Side: wire.Caller, Handler: f, Heartbeat: p.Heartbeat})
	ended := make(chan struct{})
	go func() { _ = f.mux.Run(); close(ended) }()
	t.Cleanup(func() {
		stdin.Close()
		_ = f.cmd.Process.Kill()
		<-f.exited
		_ = stdout.SetReadDeadline(time.Now())
		<-ended
		stdout.Close()
	})
	return f
}

func (f *far) Message(m wire.Frame) {
	r, err := box.ReplyFromSegments(m.Segments)
	if err != nil {
		f.t.Error(err)
	}
	f.replies <- r
}

func (f *far) Frame(wire.Frame) {}

func (f *far) Opened(s *channel.Stream, p channel.Purpose, call uint32) {
	go func() {
		if p == channel.ForLog {
			f.records(s, call)
			return
		}
		var word [8]byte
		if _, err := io.ReadFull(s, word[:]); err == nil {
			close(f.running)
		}
	}()
}

// records notes what a stream of records holds, and whose it is.
func (f *far) records(s *channel.Stream, call uint32) {
	var text bytes.Buffer
	h := slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})
	for {
		record, err := s.Receive(context.Background())
		if err != nil {
			return
		}
		text.Reset()
		if err := channel.HandleRecord(context.Background(), h, record); err != nil {
			f.t.Error(err)
		}
		_, rest, _ := strings.Cut(text.String(), " ") // without the time
		rest, _, _ = strings.Cut(rest, " source=")
		f.logged <- fmt.Sprintf("%d %s", call, strings.TrimSpace(rest))
	}
}

func (f *far) call(name string, args ...any) {
	f.t.Helper()
	e, ok := registry.Lookup(name)
	if !ok {
		f.t.Fatal("no function " + name)
	}
	var in []reflect.Value
	for _, a := range args {
		in = append(in, reflect.ValueOf(a))
	}
	b, err := e.Pack(context.Background(), in)
	if err != nil {
		f.t.Fatal(err)
	}
	segments, err := b.Segments()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.mux.WriteMessage(wire.Call, f.mux.NextID(), segments); err != nil {
		f.t.Fatal(err)
	}
}

func (f *far) result(name string) []reflect.Value {
	f.t.Helper()
	select {
	case r := <-f.replies:
		e, _ := registry.Lookup(name)
		values, err := e.Unpack(r)
		if err != nil {
			f.t.Fatal(err)
		}
		return values
	case <-time.After(10 * time.Second):
		f.t.Fatal("no reply")
	}
	return nil
}

// guardian is the pid of the worker's parent; it fails if that is the shell.
func (f *far) guardian() int {
	f.t.Helper()
	st, ok := proctree.StatOf(f.hello.PID)
	if !ok || st.Parent == f.cmd.Process.Pid {
		f.t.Fatalf("worker %d has the parent %d, which is no guardian", f.hello.PID, st.Parent)
	}
	return st.Parent
}

// survivors are the processes of the call which are still there.
func (f *far) survivors(pids ...int) (found []string) {
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		argv, _ := os.ReadFile(name + "/cmdline")
		pid, _ := strconv.Atoi(filepath.Base(name))
		st, ok := proctree.StatOf(pid)
		if ok && st.State != 'Z' && (slices.Contains(pids, pid) || bytes.Contains(argv, []byte(f.mark))) {
			found = append(found, fmt.Sprintf("%d %c %q", pid, st.State, argv))
		}
	}
	return found
}

// gone fails unless the call's processes are gone within d; it returns the transport's exit code.
func (f *far) gone(d time.Duration, pids ...int) int {
	f.t.Helper()
	begin := time.Now()
	select {
	case <-f.exited:
	case <-time.After(d):
	}
	left := f.survivors(pids...)
	for ; len(left) > 0 && time.Since(begin) < d; left = f.survivors(pids...) {
		time.Sleep(2 * time.Millisecond)
	}
	if len(left) > 0 {
		f.t.Fatalf("still there after %s:\n%s", d, strings.Join(left, "\n"))
	}
	f.t.Logf("gone after %s", time.Since(begin).Round(time.Millisecond))
	select {
	case <-f.exited:
		return f.cmd.ProcessState.ExitCode()
	case <-time.After(d):
		f.t.Fatal("the transport did not end")
		return 0
	}
}

// stay starts a function that never ends, with daemons.
func stay(t *testing.T, p *wire.Preamble) (f *far, guardian int) {
	t.Helper()
	f = start(t, p, nil)
	guardian = f.guardian()
	f.call("stay", f.mark)
	<-f.running
	for deadline := time.Now().Add(5 * time.Second); len(f.survivors()) < 4; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the function left only %q", f.survivors())
		}
	}
	return f, guardian
}

func TestNothingSurvivesTheEnd(t *testing.T) {
	long, short := &wire.Preamble{Grace: 20 * time.Second}, &wire.Preamble{Grace: 100 * time.Millisecond}
	kill := func(pid int, sig syscall.Signal) {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		preamble *wire.Preamble
		do       func(f *far, guardian int)
		code     int // -1: any
	}{
		"guardian killed":                     {long, func(_ *far, g int) { kill(g, syscall.SIGKILL) }, 137},
		"worker killed":                       {long, func(f *far, _ int) { kill(f.hello.PID, syscall.SIGKILL) }, 137},
		"worker aborted":                      {long, func(f *far, _ int) { kill(f.hello.PID, syscall.SIGABRT) }, 2},
		"worker stopped, caller gone":         {long, func(f *far, _ int) { kill(f.hello.PID, syscall.SIGSTOP); f.stdin.Close() }, 137},
		"worker stopped, guardian terminated": {long, func(f *far, g int) { kill(f.hello.PID, syscall.SIGSTOP); kill(g, syscall.SIGTERM) }, -1},
		"worker stopped, guardian killed":     {long, func(f *far, g int) { kill(f.hello.PID, syscall.SIGSTOP); kill(g, syscall.SIGKILL) }, 137},
		"caller gone":                         {short, func(f *far, _ int) { f.stdin.Close() }, -1},
		"guardian terminated":                 {short, func(_ *far, g int) { kill(g, syscall.SIGTERM) }, -1},
		"worker hangs":                        {&wire.Preamble{Grace: 20 * time.Second, Heartbeat: 60 * time.Millisecond}, func(f *far, _ int) { kill(f.hello.PID, syscall.SIGSTOP) }, 137},
	} {
		t.Run(name, func(t *testing.T) {
			f, guardian := stay(t, c.preamble)
			c.do(f, guardian)
			if code := f.gone(3*time.Second, f.hello.PID, guardian); c.code >= 0 && code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
		})
	}
}

func TestExitOfTheWorkerIsTheGuardians(t *testing.T) {
	f := start(t, &wire.Preamble{}, nil)
	g := f.guardian()
	f.call("exit", f.mark, 7)
	if code := f.gone(3*time.Second, f.hello.PID, g); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	f = start(t, &wire.Preamble{}, nil)
	f.call("signal", f.mark, int(syscall.SIGKILL))
	if code := f.gone(3 * time.Second); code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d, want that of SIGKILL", code)
	}
}

func TestGuardianTakesNothingOfTheCallers(t *testing.T) {
	f := start(t, &wire.Preamble{}, nil)
	f.guardian()
	data := bytes.Repeat([]byte{1}, 8<<20)
	f.call("sum", data)
	if got := f.result("sum")[0].Interface(); got != len(data) {
		t.Errorf("got %v, want %d", got, len(data))
	}
}

func TestChildrenGetNoDescriptors(t *testing.T) {
	secret, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	f := start(t, &wire.Preamble{}, []string{"GODEBUG=madvdontneed=1", "LD_PRELOAD_X=1"}, secret, secret, secret)
	f.guardian()
	f.call("descriptors")
	text := f.result("descriptors")[0].String()
	if got := strings.Join(strings.Fields(text)[:3], " "); got != "0 1 2" || strings.Fields(text)[3][0] < 'A' {
		t.Errorf("a child has the descriptors\n%s", text)
	}
	for _, name := range []string{"GODEBUG=", "LD_PRELOAD_X=", guardVariable, "SUDO_UID="} {
		if strings.Contains(text, name) {
			t.Errorf("a child has the variable %s\n%s", name, text)
		}
	}
}

func TestRecordsGoToTheCaller(t *testing.T) {
	f := start(t, &wire.Preamble{Session: true}, nil)
	f.call("log")
	f.result("log")
	got := []string{<-f.logged, <-f.logged}
	slices.Sort(got)
	if want := []string{`0 level=WARN msg=nobody's`, `1 level=DEBUG msg=mine n=1`}; !slices.Equal(got, want) {
		t.Errorf("got the records %q, want %q", got, want)
	}
}

// A variable that somebody else has set is no guardian.
func TestForgedGuardian(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := os.NewFile(uintptr(pair[0]), ""), os.NewFile(uintptr(pair[1]), "")
	defer theirs.Close()
	defer ours.Close()
	f := start(t, &wire.Preamble{}, []string{guardVariable + "=3"}, theirs)
	f.guardian()
}

func TestNeedsGuardian(t *testing.T) {
	me, parent := os.Getpid(), os.Getppid()
	root := os.Geteuid() == 0
	for _, c := range []struct {
		name     string
		variable string
		parent   int
		want     bool
	}{
		{"same program", "", me, false},
		{"same program, through sudo", "SUDO_UID", me, false},
		{"another program", "", parent, root},
		{"sudo", "SUDO_UID", parent, true},
		{"doas", "DOAS_USER", parent, true},
		{"a parent that is gone", "SUDO_UID", 1 << 30, true},
		{"a parent in another namespace", "", 0, true},
		{"a parent that nobody knows", "", 1 << 30, root},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("SUDO_UID", "")
			t.Setenv("DOAS_USER", "")
			if c.variable != "" {
				t.Setenv(c.variable, "1000")
			}
			if got := needsGuardian(me, c.parent); got != c.want {
				t.Errorf("needsGuardian = %t, want %t", got, c.want)
			}
		})
	}
}
