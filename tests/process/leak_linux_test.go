package process

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/process/processtest"
	"github.com/seed354a1416/deliveryboy/transport"
)

// usage is what this process holds.
type usage struct{ files, goroutines int }

func used(t *testing.T) usage {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return usage{len(entries), runtime.NumGoroutine()}
}

// remains waits until this process holds no more than before.
func (u usage) remains(t *testing.T) {
	t.Helper()
	var now usage
	for deadline := time.Now().Add(processtest.Patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if now = used(t); now.files <= u.files && now.goroutines <= u.goroutines {
			return
		}
	}
	stacks := make([]byte, 1<<20)
	t.Fatalf("%+v, before %+v\n%s", now, u, stacks[:runtime.Stack(stacks, true)])
}

// Many commands on one session leave nothing, on either side.
func TestManyCommands(t *testing.T) {
	st.NeedSudo(t)
	s := openSession(t, transport.Sudo{})
	some := func(n int) {
		for i := range n {
			var err error
			switch i % 4 {
			case 0:
				err = process.Command(t.Context(), s, "true").Run()
			case 1:
				var out []byte
				if out, err = process.Command(t.Context(), s, "echo", "x").CombinedOutput(); string(out) != "x\n" {
					t.Fatalf("%q, %v", out, err)
				}
			case 2:
				cmd := process.Command(t.Context(), s, "cat")
				cmd.Stdin = strings.NewReader("x")
				err = cmd.Run()
			case 3:
				ctx, cancel := context.WithCancel(t.Context())
				cmd := process.Command(ctx, s, "sleep", "1000")
				if err = cmd.Start(); err == nil {
					cancel()
					var exit *process.ExitError
					if err = cmd.Wait(); errors.As(err, &exit) {
						err = nil
					}
				}
				cancel()
			}
			if err != nil {
				t.Fatalf("%+v", err)
			}
		}
	}
	some(40)
	here := used(t)
	there, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	some(400)
	here.remains(t)
	after, err := s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the worker had %+v and has %+v", there, after)
	const kept = 64 // goroutines that it keeps for calls to come
	if after.Goroutines > there.Goroutines+kept || after.Streams > there.Streams {
		t.Errorf("the worker had %+v and has %+v", there, after)
	}
}

// A process that writes more than anybody reads is held back, and can be killed all the same.
func TestFlood(t *testing.T) {
	s := openSession(t, transport.Self{})
	r, w := io.Pipe() // nobody reads
	p, err := process.On(s).Start(t.Context(), process.Config{Cmdline: "yes"}, process.Stdio{Stdout: w})
	if err != nil {
		t.Fatal(err)
	}
	var last time.Duration
	for deadline := time.Now().Add(processtest.Patience); time.Now().Before(deadline); { // until it waits
		stats, err := p.Stats(t.Context(), 100*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if stats.CPUTime == last && stats.Status == "sleeping" {
			break
		}
		last = stats.CPUTime
	}
	if worker, err := s.Status(t.Context()); err != nil || worker.RSS > 64<<20 {
		t.Errorf("the worker has %+v, %v", worker, err)
	}
	if err := p.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	r.Close() // what it wrote is still on its way
	if state, err := p.Wait(t.Context()); state.Signal != "SIGKILL" {
		t.Errorf("%s, %v", &state, err)
	}
	_ = p.Close()
}

// Many processes at once share a session: each has its own streams and its own end.
func TestManyAtOnce(t *testing.T) {
	s := openSession(t, transport.Self{})
	here := used(t)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			cmd := process.Command(t.Context(), s, "sh", "-c", "cat; exit "+strconv.Itoa(i%7))
			want := strings.Repeat(strconv.Itoa(i), 10_000)
			cmd.Stdin = strings.NewReader(want)
			out, err := cmd.Output()
			var exit *process.ExitError
			if string(out) != want || (i%7 != 0) != errors.As(err, &exit) || i%7 != 0 && exit.Code != i%7 {
				t.Errorf("%d: %d bytes, %v", i, len(out), err)
			}
		})
	}
	all.Wait()
	here.remains(t)
}
