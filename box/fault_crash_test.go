package box_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
)

// crashes are programs that end as no program should. The test binary runs them in a copy of itself.
var crashes = map[string]func(){
	"nil map": func() {
		crashInGoroutine(func() {
			var m map[string]int
			m["a"] = 1
		})
	},
	"panic with a struct": func() { crashInGoroutine(func() { panic(struct{ A int }{1}) }) },
	"panic with lines":    func() { crashInGoroutine(func() { panic("one\ntwo\n\nthree") }) },
	"panic on a panic": func() {
		crashInGoroutine(func() {
			defer func() { panic("second") }()
			panic("first")
		})
	},
	"no line end before": func() {
		_, _ = os.Stderr.WriteString("working ... 50%")
		crashInGoroutine(func() { panic("at once") })
	},
	"after a recovered one": func() {
		_, _ = os.Stderr.WriteString("panic: an old story\n\ngoroutine 9 [running]:\nmain.old()\n")
		crashInGoroutine(func() { panic("the news") })
	},
	"concurrent map writes": concurrentWrites,
	"stack overflow":        func() { debug.SetMaxStack(1 << 20); _ = deeper(0) },
	"nil pointer":           func() { crashInGoroutine(func() { var p *int; *p = 1 }) },
	"segmentation fault":    func() { _ = syscall.Kill(os.Getpid(), syscall.SIGSEGV); select {} },
	"abort":                 func() { _ = syscall.Kill(os.Getpid(), syscall.SIGABRT); select {} },
	"quit":                  func() { _ = syscall.Kill(os.Getpid(), syscall.SIGQUIT); select {} },
	"out of memory":         exhaustMemory,
}

// TestPlayCrash is the program that crashes; it does nothing in an ordinary run.
func TestPlayCrash(t *testing.T) {
	if crash := crashes[os.Getenv("BOX_TEST_CRASH")]; crash != nil {
		crash()
	}
}

// crashInGoroutine waits for ever: deferred calls run before the crash, and must not let the program end first.
func crashInGoroutine(f func()) {
	go f()
	select {}
}

func concurrentWrites() {
	m := map[int]int{}
	for range 8 {
		go func() {
			for {
				m[1] = 2
			}
		}()
	}
	select {}
}

func deeper(n int) int { return deeper(n+1) + n }

// exhaustMemory forbids this process to grow, and grows.
func exhaustMemory() {
	var limit syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_AS, &limit)
	limit.Cur = 1 << 20
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &limit)
	var hoard [][]byte
	for {
		hoard = append(hoard, bytes.Repeat([]byte{1}, 64<<20))
	}
}

// copyThat is a copy of this program that crashes. It never outlives its own time limit.
func copyThat(t *testing.T, crash string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPlayCrash$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), "BOX_TEST_CRASH="+crash, "GOTRACEBACK=single", "GORACE=log_path=/dev/null")
	return cmd
}

// stderrOf runs a program that crashes, and gives what it said.
func stderrOf(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil {
		t.Fatalf("it did not crash: %s", &stderr)
	}
	return stderr.String()
}

func TestCrashFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		crash  string
		kind   box.Kind
		text   string // how the text of the error starts
		signal string
		stack  string // a part of the stack
	}{
		{"nil map", box.Crashed, "worker crashed: panic: assignment to entry in nil map", "", "fault_crash_test.go:"},
		{"panic with a struct", box.Crashed, "worker crashed: panic: (struct { A int }) ", "", "fault_crash_test.go:"},
		{"panic with lines", box.Crashed, "worker crashed: panic: one\ntwo\n\nthree", "", "fault_crash_test.go:"},
		{"panic on a panic", box.Crashed, "worker crashed: panic: first\npanic: second", "", "fault_crash_test.go:"},
		{"no line end before", box.Crashed, "worker crashed: panic: at once", "", "fault_crash_test.go:"},
		{"after a recovered one", box.Crashed, "worker crashed: panic: the news", "", "fault_crash_test.go:"},
		{"concurrent map writes", box.Crashed, "worker crashed: fatal error: concurrent map writes", "", "concurrentWrites"},
		{"stack overflow", box.Crashed, "worker crashed: fatal error: stack overflow", "", "box_test.deeper("},
		{"nil pointer", box.Crashed, "worker crashed: panic: runtime error: invalid memory address", "SIGSEGV", "fault_crash_test.go:"},
		{"segmentation fault", box.Crashed, "worker crashed: SIGSEGV: segmentation violation", "SIGSEGV", "goroutine "},
		{"abort", box.Crashed, "worker crashed: SIGABRT: abort", "SIGABRT", "goroutine "},
		{"quit", box.Killed, "worker was killed by SIGQUIT", "SIGQUIT", "goroutine "},
	} {
		t.Run(tt.crash, func(t *testing.T) {
			t.Parallel()
			checkCrash(t, stderrOf(t, copyThat(t, tt.crash)), tt.kind, tt.text, tt.signal, tt.stack)
		})
	}
}

// A test binary has goroutines and signal handlers of its own, and is never found in a deadlock: this needs a program.
func TestCrashFaultOfADeadlock(t *testing.T) {
	t.Parallel()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go tool")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() { select {} }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command(goTool, "build", "-o", filepath.Join(dir, "deadlock"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	stderr := stderrOf(t, exec.Command(filepath.Join(dir, "deadlock")))
	checkCrash(t, stderr, box.Crashed, "worker crashed: fatal error: all goroutines are asleep - deadlock!", "", "main.main()")
}

// The race detector reserves terabytes of addresses, so that under it no limit on them can be set.
func TestCrashFaultOutOfMemory(t *testing.T) {
	if raceDetector() {
		t.Skip("the race detector is in the way")
	}
	t.Parallel()
	checkCrash(t, stderrOf(t, copyThat(t, "out of memory")), box.OutOfMemory, "worker ran out of memory: fatal error: ", "", "")
}

func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func checkCrash(t *testing.T, stderr string, kind box.Kind, text, signal, stack string) {
	t.Helper()
	f, ok := box.CrashFault(stderr)
	if !ok {
		t.Fatalf("no crash in %s", stderr)
	}
	err, ok := trip(t, f).Err(box.Origin{Func: "f"}).(*box.RemoteError)
	if !ok {
		t.Fatalf("no *box.RemoteError")
	}
	if err.Kind != kind || err.Signal != signal || !strings.HasPrefix(err.Error(), text) {
		t.Errorf("kind %v, signal %q, text %q; want %v, %q, %q\n%s", err.Kind, err.Signal, err, kind, signal, text, stderr)
	}
	if !strings.Contains(err.Stack, stack) || strings.Contains(err.Error(), "goroutine ") {
		t.Errorf("the stack is %q; want %q in it", err.Stack, stack)
	}
}

func TestCrashTexts(t *testing.T) {
	t.Parallel()
	const trace = "\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:3 +0x1\n"
	for _, tt := range []struct {
		name, stderr string
		kind         box.Kind
		text         string // empty: no crash
	}{
		{"nothing", "", 0, ""},
		{"a word", "warning: panic is not good\n", 0, ""},
		{"a log line", "panic: not really\nmore lines\n", 0, ""},
		{"a log line at the end", "panic: not really\n", 0, ""},
		{"a stack alone", "goroutine 7 [running]:\nmain.f()\n", 0, ""},
		{"a name like a signal", "SIGNIFICANT: things\n" + trace, 0, ""},
		{"deadlock", "fatal error: all goroutines are asleep - deadlock!" + trace, box.Crashed, "fatal error: all goroutines are asleep - deadlock!"},
		{"with carriage returns", strings.ReplaceAll("fatal error: fault"+trace, "\n", "\r\n"), box.Crashed, "fatal error: fault"},
		{"out of memory", "runtime: out of memory: cannot allocate 4194304-byte block (3968512 in use)\nfatal error: out of memory" + trace, box.OutOfMemory, "fatal error: out of memory"},
		{"no memory for a stack", "fatal error: runtime: cannot allocate memory\n", box.OutOfMemory, "fatal error: runtime: cannot allocate memory"},
		{"no threads", "runtime: failed to create new OS thread (have 5 already; errno=11)\nfatal error: newosproc" + trace, box.Crashed, "fatal error: newosproc"},
		{"unexpected signal", "fatal error: unexpected signal during runtime execution\n[signal SIGSEGV: segmentation violation code=0x1]" + trace, box.Crashed, "fatal error: unexpected signal during runtime execution"},
		{"output after it", "panic: x" + trace + "exit status 2\n", box.Crashed, "panic: x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, ok := box.CrashFault(tt.stderr)
			switch {
			case ok != (tt.text != ""):
				t.Errorf("a crash: %v", ok)
			case ok && (f.Kind != tt.kind || f.Text != tt.text):
				t.Errorf("kind %v, text %q; want %v, %q", f.Kind, f.Text, tt.kind, tt.text)
			}
		})
	}
}
