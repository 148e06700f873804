package session

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
)

// TestManyCallers has 32 callers on one sudo session: each gets its own answers.
func TestManyCallers(t *testing.T) {
	s := sudoSession(t, session.Options{})
	calls := sized(300, 5000)
	var wg sync.WaitGroup
	begin := time.Now()
	for caller := range 32 {
		wg.Go(func() {
			pad := bytes.Repeat([]byte{byte(caller)}, 100+caller*131)
			for n := range calls {
				if got := next.On(s)(caller*1_000_000 + n); got != caller*1_000_000+n+1 {
					t.Errorf("caller %d, call %d: %d", caller, n, got)
					return
				}
				if got := echo.On(s)(pad); !bytes.Equal(got, pad) {
					t.Errorf("caller %d, call %d: %d bytes", caller, n, len(got))
					return
				}
			}
		})
	}
	wg.Wait()
	n := 32 * calls * 2
	t.Logf("%d calls by 32 callers: %.0f a second", n, float64(n)/time.Since(begin).Seconds())
	st, err := s.Status(limited(t))
	must(t, err)
	if st.Calls != int64(n) || st.Executing != 0 {
		t.Errorf("status: %+v, after %d calls", st, n)
	}
}

// busy starts n calls that wait, and returns when all of them run; stop ends them.
func busy(t *testing.T, c box.Courier, n int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	running, done := make(chan bool, n), make(chan error, n)
	for range n {
		go func() { done <- wait.On(c)(ctx, func() error { running <- true; return nil }) }()
	}
	for range n {
		arrives(t, "a call that waits", running)
	}
	return func() {
		t.Helper()
		cancel()
		for range n {
			if err := arrives(t, "the end of a call", done); !errors.Is(err, context.Canceled) {
				t.Errorf("a call that was cancelled: %v", err)
			}
		}
	}
}

func TestStatusWhileFunctionsRun(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s := open(t, tg, session.Options{})
		stop := busy(t, s, 5)
		begin := time.Now()
		got, err := s.Status(limited(t))
		took := time.Since(begin)
		must(t, err)
		if got.Executing != 5 || got.Queued != 0 || got.Calls != 5 || got.Goroutines < 5 || got.RSS < 1<<20 || got.Uptime <= 0 || got.Streams < 5 {
			t.Errorf("%+v", got)
		}
		t.Logf("answered in %s", took)
		stop()
		if got, err = s.Status(limited(t)); err != nil || got.Executing != 0 {
			t.Errorf("after the calls: %+v, %v", got, err)
		}
	})
}

func TestInfo(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s := open(t, tg, session.Options{Dir: "/usr"})
		me, err := whoami.On(s)()
		must(t, err)
		got, err := s.Info(limited(t))
		must(t, err)
		if got.PID != me.PID || got.UID != me.UID || got.Host != me.Host || got.Go != runtime.Version() || got.OS != "linux" ||
			got.Arch != runtime.GOARCH || got.Dir != "/usr" || got.Build == "" || len(got.Hops) == 0 {
			t.Errorf("%+v", got)
		}
		if tg.uid == 0 && !slices.Contains(got.Groups, 0) {
			t.Errorf("groups of root: %v", got.Groups)
		}
		if text := s.String(); !strings.Contains(text, tg.via.String()) {
			t.Errorf("String: %q", text)
		}
		if again, err := s.Info(limited(t)); err != nil || again.PID != got.PID {
			t.Errorf("asked again: %+v, %v", again, err)
		}
	})
}

func TestSignal(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s := open(t, tg, session.Options{})
		ready, got := make(chan bool, 1), make(chan string, 1)
		go func() {
			name, err := caught.On(s)(limited(t), func() error { ready <- true; return nil })
			if err != nil {
				name = err.Error()
			}
			got <- name
		}()
		arrives(t, "the function", ready)
		must(t, s.Signal(limited(t), syscall.SIGUSR1))
		if name := arrives(t, "the signal", got); name != syscall.SIGUSR1.String() {
			t.Errorf("the function got %q", name)
		}
	})
	s := openRough(t, targetNamed("self"), session.Options{})
	must(t, s.Signal(limited(t), syscall.SIGKILL))
	arrives(t, "the end", s.Done())
	if s.Alive() || !errors.Is(s.Err(), session.ErrLost) {
		t.Errorf("after SIGKILL: alive %v, %v", s.Alive(), s.Err())
	}
	_ = s.Close()
}

func TestDumpShowsWhereACallHangs(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s := open(t, tg, session.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		running, done := make(chan bool, 1), make(chan error, 1)
		go func() { done <- hang.On(s)(ctx, func() error { running <- true; return nil }) }()
		arrives(t, "the function", running)
		var dump string
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); { // it is just coming back from saying so
			var err error
			dump, err = s.Dump(limited(t))
			must(t, err)
			if strings.Contains(dump, "hangingForTheDump(") {
				break
			}
		}
		if !strings.Contains(dump, "hangingForTheDump(") || !strings.Contains(dump, "goroutine ") {
			t.Errorf("the dump does not show the call:\n%s", dump)
		}
		cancel()
		arrives(t, "the end of the call", done)
	})
}

func TestUndeclaredDescriptorsAreClosed(t *testing.T) {
	leak, err := os.Open("/etc/hostname")
	must(t, err)
	defer leak.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, leak.Fd(), syscall.F_SETFD, 0); errno != 0 {
		t.Fatal(errno)
	}
	overAll(t, func(t *testing.T, tg target) {
		for name, c := range map[string]box.Courier{
			"session": open(t, tg, session.Options{}), "once": delivery.Once{Via: tg.via, Stderr: &races},
		} {
			found, err := files.On(c)()
			must(t, err)
			for _, line := range found {
				for _, bad := range []string{"hostname", "sudoers", "/dev/pts", "/dev/tty"} {
					if strings.Contains(line, bad) {
						t.Errorf("%s: an inherited descriptor: %s", name, line)
					}
				}
			}
			if len(found) > 20 {
				t.Errorf("%s: %d descriptors: %q", name, len(found), found)
			}
		}
	})
}
