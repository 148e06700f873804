package once

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/boxtest"
	"github.com/seed354a1416/deliveryboy/delivery"
)

func TestWhoRunsIt(t *testing.T) {
	overAll(t, func(t *testing.T, tg target, once delivery.Once) {
		got, err := whoami.On(once)()
		if err != nil {
			t.Fatalf("%+v", err)
		}
		want := tg.uid
		if want < 0 {
			want = os.Getuid()
		}
		if got.UID != want || got.PID == os.Getpid() {
			t.Errorf("ran as %+v; want uid %d and another process", got, want)
		}
	})
}

func TestErrorMatrix(t *testing.T) {
	t.Run("in this process", func(t *testing.T) {
		for _, c := range boxtest.Errors() {
			t.Run(c.Name, func(t *testing.T) { c.Check(t, fail.On(delivery.Once{})(c.Name)) })
		}
	})
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		for _, c := range boxtest.Errors() {
			t.Run(c.Name, func(t *testing.T) { c.Check(t, fail.On(once)(c.Name)) })
		}
	})
}

func TestLargeArgumentsAndResults(t *testing.T) {
	big := bytes.Repeat([]byte("deliveryboy\n\x00\xff="), 64<<20/14)
	for _, text := range []bool{false, true} {
		overAll(t, func(t *testing.T, tg target, once delivery.Once) {
			if text && tg.name != "self" && tg.name != "ssh then sudo" {
				t.Skip("the text form is the same on every way: two are enough")
			}
			once.Text = text
			if got := echo.On(once)(big); !bytes.Equal(got, big) {
				t.Errorf("sent %d bytes, got %d others", len(big), len(got))
			}
		})
	}
}

func TestReplyLimit(t *testing.T) {
	var e *box.DeliveryError
	err := try(func() { echo.On(delivery.Once{Via: targets()[0].via, MaxReply: 1 << 20})(make([]byte, 2<<20)) })
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("a reply over the limit: %v", err)
	}
}

// try returns the error that f panics with.
func try(f func()) (err error) {
	defer func() { err, _ = recover().(error) }()
	f()
	return nil
}

func TestSettings(t *testing.T) {
	for _, name := range []string{"LD_LIBRARY_PATH", "SOMETHING", "PYTHONPATH"} {
		t.Setenv(name, "/tmp/hostile")
	}
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		s, err := settings.On(once)()
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if s.Dir != "/" || s.Umask != "0077" || s.Nice != "0" || !s.Session {
			t.Errorf("defaults: %+v", s)
		}
		for _, entry := range s.Env {
			name, _, _ := strings.Cut(entry, "=")
			if !slices.Contains([]string{"HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "PATH"}, name) && !strings.HasPrefix(name, "LC_") {
				t.Errorf("the worker's environment has %q", entry)
			}
		}
		for _, fd := range s.FDs {
			if strings.Contains(fd, "/sudoers") || strings.Contains(fd, "/dev/pts") {
				t.Errorf("an inherited descriptor: %s", fd)
			}
		}
		once.Dir, once.Umask, once.Nice, once.Env = "/usr", 0o22, 5, []string{"GREETING=hello world", "TZ=UTC"}
		if s, err = settings.On(once)(); err != nil {
			t.Fatalf("%+v", err)
		}
		if s.Dir != "/usr" || s.Umask != "0022" || s.Nice != "5" || !slices.Contains(s.Env, "GREETING=hello world") || !slices.Contains(s.Env, "TZ=UTC") {
			t.Errorf("asked for: %+v", s)
		}
	})
}

func TestSettingsThatAreRefused(t *testing.T) {
	self := delivery.Once{Via: targets()[0].via}
	for name, c := range map[string]struct {
		change func(*delivery.Once)
		want   string
	}{
		"LD_PRELOAD":      {func(o *delivery.Once) { o.Env = []string{"LD_PRELOAD=/x"} }, "LD_PRELOAD"},
		"no equals sign":  {func(o *delivery.Once) { o.Env = []string{"A"} }, `"A"`},
		"bad name":        {func(o *delivery.Once) { o.Env = []string{"1A=x"} }, `"1A"`},
		"newline":         {func(o *delivery.Once) { o.Env = []string{"A=x\ny"} }, "A"},
		"relative dir":    {func(o *delivery.Once) { o.Dir = "x" }, "absolute"},
		"no such dir":     {func(o *delivery.Once) { o.Dir = "/nowhere" }, "no such file"},
		"umask":           {func(o *delivery.Once) { o.Umask = 0o1000 }, "Umask 01000"},
		"nice":            {func(o *delivery.Once) { o.Nice = 20 }, "20"},
		"negative nice":   {func(o *delivery.Once) { o.Nice = -1 }, "nice -1"},
		"grace":           {func(o *delivery.Once) { o.Grace = time.Hour }, "1h"},
		"program missing": {func(o *delivery.Once) { o.Program = "/nowhere/app" }, "/nowhere/app"},
		"bad Only":        {func(o *delivery.Once) { o.Only = []string{"a b"} }, `"a b"`},
		"not in Only":     {func(o *delivery.Once) { o.Only = []string{"echo"} }, "narrowed"},
	} {
		once := self
		c.change(&once)
		_, err := whoami.On(once)()
		var e *box.DeliveryError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || e.Fate != box.NotStarted {
			t.Errorf("%s: %v; want a delivery error with %q", name, err, c.want)
		}
	}
}

func TestInThisProcess(t *testing.T) {
	if got := echo.On(delivery.Once{})([]byte("x")); string(got) != "x" {
		t.Errorf("got %q", got)
	}
	big := make([]byte, 1<<20)
	got := echo.On(delivery.Once{})(big)
	if got[0] = 1; big[0] != 0 {
		t.Error("the function got the caller's memory, not a copy")
	}
	_, err := whoami.On(delivery.Once{Dir: "/usr"})()
	if err == nil || !strings.Contains(err.Error(), "Dir needs a process of its own") {
		t.Errorf("Dir: %v", err)
	}
	var p *box.PanicError
	if err := explode.On(delivery.Once{})(); !errors.As(err, &p) || !errors.Is(err, os.ErrPermission) {
		t.Errorf("panic: %v", err)
	}
	if err := goexit.On(delivery.Once{})(); kindOf(err) != box.Goexited {
		t.Errorf("goexit: %v", err)
	}
}

func TestDeadlineTravels(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if !deadline.On(delivery.Once{Via: targets()[0].via})(ctx) || deadline.On(delivery.Once{Via: targets()[0].via})(context.Background()) {
		t.Error("the deadline did not travel as it is")
	}
}

func TestAFunctionSeesThatItWasTheDeadline(t *testing.T) {
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		once.Stdout = io.Discard
		for d := 700 * time.Millisecond; ; d *= 2 {
			ctx, cancel := context.WithTimeout(context.Background(), d)
			err := sleepy.On(once)(ctx, "")
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%v", err)
			}
			if kindOf(err) == box.Returned {
				return
			}
			if d > time.Minute { // it takes so long only to begin, on no machine
				t.Fatalf("the function did not see its deadline: %v", err)
			}
		}
	})
}

func TestStdinOfTheFunctionIsEmpty(t *testing.T) {
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		if got, err := stdin.On(once)(); got != "" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	})
}

func kindOf(err error) box.Kind {
	var r *box.RemoteError
	if errors.As(err, &r) {
		return r.Kind
	}
	return -1
}
