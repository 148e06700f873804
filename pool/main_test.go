package pool_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

func TestMain(m *testing.M) {
	pool.Register()
	delivery.Main() // the test binary plays the worker
	flag.Parse()
	if !full() {
		_ = flag.Set("test.short", "true") // for the suite, which runs twice
	}
	os.Exit(m.Run())
}

// full is for what takes minutes with the race detector.
func full() bool { return os.Getenv("POOL_FULL") == "1" }

var (
	pid      = registry.Register("pid", func(context.Context) (int, error) { return os.Getpid(), nil })
	harmless = registry.Register("pid.idempotent", func() (int, error) { return os.Getpid(), nil }, registry.Rules{Idempotent: true})
	title    = registry.Register("title", func() (string, error) {
		text, err := os.ReadFile("/proc/self/comm")
		return strings.TrimSpace(string(text)), err
	})
	exit     = registry.Register("exit", func(_ context.Context, code int) error { os.Exit(code); return nil })
	killed   = registry.Register("kill", func() error { return syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	hold     = registry.Register("hold", holdUntil)
	stubborn = registry.Register("stubborn", func(context.Context) error { select {} })
	stopped  = registry.Register("stopped", func(context.Context) error { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP); select {} })
	echo     = registry.Register("echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	openFile = registry.Register("open", func(path string) (io.ReadCloser, error) { return os.Open(path) })
	slurp    = registry.Register("slurp", func(_ context.Context, r io.Reader) (string, error) {
		b, err := io.ReadAll(r)
		return string(b), err
	})
)

// holdUntil says which process it is in, and ends when the gate does.
func holdUntil(ctx context.Context, in func(int) error, gate <-chan bool) error {
	if err := in(os.Getpid()); err != nil {
		return err
	}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A held call is one that runs until it is let go.
type held struct {
	pid  int
	gate chan bool
	done chan error
}

func (h *held) release(t *testing.T) error {
	t.Helper()
	close(h.gate)
	return arrives(t, "the end of a call", h.done)
}

// hold1 starts a call that stays in its worker.
func hold1(t *testing.T, c box.Courier) *held {
	t.Helper()
	h := &held{gate: make(chan bool), done: make(chan error, 1)}
	in := make(chan int, 1)
	go func() {
		h.done <- hold.On(c)(context.Background(), func(pid int) error { in <- pid; return nil }, h.gate)
	}()
	select {
	case h.pid = <-in:
	case err := <-h.done:
		t.Fatalf("the call did not start: %+v", err)
	case <-time.After(patience):
		t.Fatal("the call does not start")
	}
	return h
}

const patience = 30 * time.Second

func arrives[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %s", what, patience)
	}
	panic("unreachable")
}

// becomes waits until a pool is as the test wants it.
func becomes(t *testing.T, p *pool.Pool, what string, ok func(pool.Stats) bool) pool.Stats {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		s := p.Stats()
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: it does not happen: %+v", what, s)
		}
	}
}

// open opens a pool that is closed at the end of the test, and leaves no goroutine.
func open(t *testing.T, o pool.Options) *pool.Pool {
	t.Helper()
	leaks(t)
	if o.Via == nil {
		o.Via = transport.Self{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p, err := pool.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

var watched sync.Map // tests whose goroutines are looked after

// leaks fails the test if it leaves a goroutine. To ask for it again does nothing.
func leaks(t *testing.T) {
	t.Helper()
	if _, already := watched.LoadOrStore(t.Name(), true); already {
		return
	}
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		watched.Delete(t.Name())
		goleak.VerifyNone(t, ignore)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

// wants fails the test if an error is not one of the delivery with target in it.
func wants(t *testing.T, err, target error, fate box.Fate) {
	t.Helper()
	var d *box.DeliveryError
	if !errors.As(err, &d) || !errors.Is(err, target) || d.Fate != fate {
		t.Errorf("got %+v; want %v, %s", err, target, fate)
	}
}

// A logBook is a log that can be read.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func distinct(pids []int) string {
	seen := map[int]bool{}
	for _, pid := range pids {
		seen[pid] = true
	}
	return fmt.Sprintf("%d of %d", len(seen), len(pids))
}
