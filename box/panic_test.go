package box_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/boxtest"
)

type celsius float64

type place struct{ X, Y int }

type talker struct{ fail bool }

func (t talker) String() string {
	if t.fail {
		panic("speechless")
	}
	return "I am a talker"
}

// panicked runs f, and gives the fault of its panic as a worker makes it.
func panicked(f func()) (fault *box.Fault) {
	defer func() { fault = box.PanicFault(recover(), debug.Stack()) }()
	f()
	return nil
}

func TestPanicValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value any
		want  any // the value that comes back
		typ   string
		text  string
	}{
		{"boom", "boom", "string", "panic: boom"},
		{"", "", "string", "panic: "},
		{42, 42, "int", "panic: 42"},
		{uint8(7), uint8(7), "uint8", "panic: 7"},
		{int64(-1 << 62), int64(-1 << 62), "int64", "panic: -4611686018427387904"},
		{true, true, "bool", "panic: true"},
		{1.5, 1.5, "float64", "panic: 1.5"},
		{float32(0.1), float32(0.1), "float32", "panic: 0.1"},
		{complex(1, 2), complex(1, 2), "complex128", "panic: (1+2i)"},
		{celsius(36.6), "36.6", "box_test.celsius", "panic: 36.6"},
		{place{1, 2}, "{1 2}", "box_test.place", "panic: {1 2}"},
		{talker{}, "I am a talker", "box_test.talker", "panic: I am a talker"},
		{[]string{"a", "b"}, "[a b]", "[]string", "panic: [a b]"},
		{boxtest.Flaw{Code: 3}, boxtest.Flaw{Code: 3}, "boxtest.Flaw", "panic: flaw 3"},
		{syscall.ENOENT, syscall.ENOENT, "syscall.Errno", "panic: no such file or directory"},
		{io.EOF, io.EOF, "*errors.errorString", "panic: EOF"},
	} {
		t.Run(fmt.Sprintf("%T", tt.value), func(t *testing.T) {
			t.Parallel()
			err := trip(t, panicked(func() { panic(tt.value) })).Err(box.Origin{Func: "f"})
			p, ok := err.(*box.PanicError)
			if !ok {
				t.Fatalf("it is a %T", err)
			}
			if !reflect.DeepEqual(p.Value, tt.want) {
				t.Errorf("Value is %T %v; want %T %v", p.Value, p.Value, tt.want, tt.want)
			}
			if p.Error() != tt.text || p.Type != tt.typ || p.Kind != box.Panicked {
				t.Errorf("text %q, type %q, kind %v; want %q, %q, %v", p, p.Type, p.Kind, tt.text, tt.typ, box.Panicked)
			}
			var remote *box.RemoteError
			if !errors.As(err, &remote) || remote.Kind != box.Panicked || remote.Error() != tt.text {
				t.Errorf("errors.As finds no RemoteError of the panic: %v", remote)
			}
		})
	}
}

func TestPanicWithErrors(t *testing.T) {
	t.Parallel()
	wrapped := fmt.Errorf("save: %w", &fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC})
	err := trip(t, panicked(func() { panic(wrapped) })).Err(box.Origin{})
	var path *fs.PathError
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &path) || path.Path != "/x" {
		t.Errorf("the error inside is lost: %+v", err)
	}
	value, ok := err.(*box.PanicError).Value.(error)
	if !ok || value.Error() != wrapped.Error() || !errors.Is(value, syscall.ENOSPC) {
		t.Errorf("Value is %T %v", value, value)
	}

	var none []int
	err = trip(t, panicked(func() { _ = none[len(none)] })).Err(box.Origin{})
	var rt runtime.Error
	if !errors.As(err, &rt) || err.Error() != "panic: runtime error: index out of range [0] with length 0" {
		t.Errorf("the runtime error is lost: %+v", err)
	}
	if _, ok := err.(*box.PanicError).Value.(runtime.Error); !ok {
		t.Errorf("Value is %T", err.(*box.PanicError).Value)
	}

	err = trip(t, panicked(func() { panic(nil) })).Err(box.Origin{})
	var null *runtime.PanicNilError
	if !errors.As(err, &null) {
		t.Errorf("the *runtime.PanicNilError is lost: %+v", err)
	}

	err = trip(t, panicked(func() { panic((*fs.PathError)(nil)) })).Err(box.Origin{})
	if p, ok := err.(*box.PanicError).Value.(*fs.PathError); !ok || p != nil || errors.Is(err, io.EOF) {
		t.Errorf("the nil pointer is lost: %+v", err)
	}
}

func TestPanicWithAValueThatCannotSpeak(t *testing.T) {
	t.Parallel()
	err := trip(t, panicked(func() { panic(talker{fail: true}) })).Err(box.Origin{})
	if !strings.Contains(err.Error(), "speechless") {
		t.Errorf("the text is %q", err)
	}
}

//go:noinline
func blowUp() { panic("boom") }

func TestPanicStackStartsAtThePanic(t *testing.T) {
	t.Parallel()
	err := trip(t, panicked(blowUp)).Err(box.Origin{Func: "f"}).(*box.PanicError)
	lines := strings.Split(err.Stack, "\n")
	if len(lines) < 3 || !strings.HasPrefix(lines[0], "goroutine ") || !strings.Contains(lines[1], "box_test.blowUp") ||
		!strings.Contains(lines[2], "panic_test.go:") {
		t.Errorf("the stack is %q", err.Stack)
	}
	detail := fmt.Sprintf("%+v", err)
	for _, part := range []string{"panic: boom\n", "panic with string, from the function f\n", "remote stack:\n", "box_test.blowUp", "called from:\n"} {
		if !strings.Contains(detail, part) {
			t.Errorf("%%+v has no %q:\n%s", part, detail)
		}
	}
}

// A PanicError may be made by anyone, without a RemoteError in it.
func TestPanicErrorByHand(t *testing.T) {
	t.Parallel()
	err := &box.PanicError{Value: fmt.Errorf("a: %w", io.EOF)}
	if !errors.Is(err, io.EOF) || fmt.Sprintf("%+v", err) != "panic: a: EOF" || err.Timeout() {
		t.Errorf("%+v", err)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		t.Errorf("errors.As finds %v", path)
	}
	if got := trip(t, box.FaultOf(err)).Err(box.Origin{}); got.Error() != "panic: a: EOF" {
		t.Errorf("after a trip: %v", got)
	}
	if (&box.PanicError{Value: 3}).Unwrap() != nil {
		t.Error("a number is unwrapped")
	}
}

func TestSuddenEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault *box.Fault
		want  box.RemoteError
	}{
		{box.ExitFault(3), box.RemoteError{Kind: box.Exited, Code: 3,
			Msg: "worker exited with status 3 before the function returned (os.Exit or log.Fatal)"}},
		{box.ExitFault(0), box.RemoteError{Kind: box.Exited,
			Msg: "worker exited with status 0 before the function returned (os.Exit or log.Fatal)"}},
		{box.GoexitFault([]byte("goroutine 1 [running]:")), box.RemoteError{Kind: box.Goexited, Stack: "goroutine 1 [running]:",
			Msg: "function ended its goroutine with runtime.Goexit"}},
		{box.SignalFault("SIGTERM", false), box.RemoteError{Kind: box.Killed, Signal: "SIGTERM", Msg: "worker was killed by SIGTERM"}},
		{box.SignalFault("SIGKILL", false), box.RemoteError{Kind: box.Killed, Signal: "SIGKILL",
			Msg: "worker was killed by SIGKILL (kill -9, or the kernel's out-of-memory killer)"}},
		{box.SignalFault("", false), box.RemoteError{Kind: box.Killed, Msg: "worker was killed by a signal"}},
		{box.SignalFault("SIGKILL", true), box.RemoteError{Kind: box.OutOfMemory, Signal: "SIGKILL",
			Msg: "worker was killed by the kernel's out-of-memory killer"}},
	} {
		got := trip(t, tt.fault).Err(box.Origin{}).(*box.RemoteError)
		if got.Kind != tt.want.Kind || got.Code != tt.want.Code || got.Signal != tt.want.Signal || got.Stack != tt.want.Stack ||
			got.Error() != tt.want.Msg {
			t.Errorf("got %+v; want %+v", got, tt.want)
		}
	}
}

func TestDetailsOfAnError(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	err := trip(t, box.FaultOf(fs.ErrPermission)).Err(box.Origin{Func: "pkg.install", Via: "ssh=web1//sudo",
		Hops: []string{"ssh web1 sudo -n app __deliver", "sudo -n app __deliver"},
		Run:  box.Run{Host: "web1", PID: 5, UID: 0, GID: 1, Start: start, Took: 3 * time.Millisecond}})
	got, _, _ := strings.Cut(fmt.Sprintf("%+v", err), "    called from:\n")
	want := `permission denied
    *errors.errorString, from the function pkg.install
    via ssh=web1//sudo
    hop ssh web1 sudo -n app __deliver
    hop sudo -n app __deliver
    ran as uid 0, gid 1, pid 5 on web1, started 2030-01-02T03:04:05Z, took 3ms
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if s := fmt.Sprintf("%v|%s|%q", err, err, err); s != `permission denied|permission denied|"permission denied"` {
		t.Errorf("plain verbs give %s", s)
	}
}
