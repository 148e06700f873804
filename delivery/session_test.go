package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var (
	double   = registry.Register("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	broken   = registry.Register("broken", func(_ context.Context, why string) (int, error) { return 0, errors.New(why) })
	pid      = registry.Register("pid", func() (int, error) { return os.Getpid(), nil })
	samePID  = registry.Register("pid.idempotent", func() (int, error) { return os.Getpid(), nil }, registry.Rules{Idempotent: true})
	exitWith = registry.Register("exit", func(_ context.Context, code int) error { os.Exit(code); return nil })
	patient  = registry.Register("patient", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
	stubborn = registry.Register("stubborn", func(context.Context) error { select {} })
	printOwn = registry.Register("print", func(ctx context.Context, text string) error {
		_, err := io.WriteString(delivery.Stdout(ctx), text)
		return err
	})
	countIn   = registry.Register("count.reader", func(_ context.Context, r io.Reader) (int64, error) { return io.Copy(io.Discard, r) })
	openThere = registry.Register("open.there", func(path string) (io.ReadCloser, error) { return os.Open(path) })
)

func openSelf(t *testing.T, o session.Options) *session.Session {
	t.Helper()
	s, err := delivery.Open(t.Context(), transport.Self{}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// leaks fails the test if it leaves a goroutine or a descriptor.
func leaks(t *testing.T) {
	t.Helper()
	ignore, before := goleak.IgnoreCurrent(), descriptors(t)
	t.Cleanup(func() {
		goleak.VerifyNone(t, ignore)
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors were left", after-before)
		}
	})
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

func TestSessionCalls(t *testing.T) {
	leaks(t)
	s := openSelf(t, session.Options{})
	first, err := pid.On(s)()
	if err != nil || first == os.Getpid() {
		t.Fatal(first, err)
	}
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			for n := range 50 {
				if got, err := double.On(s)(t.Context(), i*n); err != nil || got != 2*i*n {
					t.Errorf("double(%d) = %d, %v", i*n, got, err)
				}
			}
		})
	}
	callers.Wait()
	if again, err := pid.On(s)(); again != first {
		t.Errorf("another worker: %d, %d, %v", first, again, err)
	}
}

func TestSessionStatus(t *testing.T) {
	leaks(t)
	s := openSelf(t, session.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Go(func() { _ = patient.On(s)(ctx) })
	defer waiting.Wait()
	defer cancel()
	for {
		st, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Executing == 1 {
			if st.Goroutines == 0 || st.RSS == 0 || st.Uptime <= 0 {
				t.Errorf("%+v", st)
			}
			break
		}
	}
	info, err := s.Info(t.Context())
	if err != nil || info.PID == 0 || info.Go == "" || info.Dir != "/" || info.UID != os.Getuid() {
		t.Errorf("%+v, %v", info, err)
	}
	if dump, err := s.Dump(t.Context()); err != nil || !strings.Contains(dump, "goroutine ") {
		t.Errorf("%q, %v", dump, err)
	}
	if want := fmt.Sprintf("session via self, pid %d on %s", info.PID, info.Host); s.String() != want {
		t.Errorf("%s, want %s", s, want)
	}
}

func TestSessionCancel(t *testing.T) {
	leaks(t)
	s := openSelf(t, session.Options{Grace: 100 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := patient.On(s)(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if !s.Alive() {
		t.Fatal("a function that obeyed cost the session")
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := stubborn.On(s)(ctx)
	var failed *box.DeliveryError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failed) || failed.Fate != box.Stopped {
		t.Error(err)
	}
	if s.Alive() {
		t.Error("a function that hangs left the worker alive")
	}
}

func TestSessionLost(t *testing.T) {
	leaks(t)
	s := openSelf(t, session.Options{})
	var remote *box.RemoteError
	if err := exitWith.On(s)(t.Context(), 3); !errors.As(err, &remote) || remote.Kind != box.Exited || remote.Code != 3 {
		t.Error(err)
	}
	var lost *session.LostError
	if _, err := pid.On(s)(); !errors.As(err, &lost) || !errors.Is(err, session.ErrLost) || lost.Started {
		t.Error(err)
	}
	if s.Alive() || s.Err() == nil {
		t.Error("alive")
	}
	one, err := samePID.On(s)()
	if err != nil {
		t.Fatal(err)
	}
	if two, err := pid.On(s)(); one != two {
		t.Error(one, two, err)
	}
	if err := syscall.Kill(one, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if three, err := samePID.On(s)(); err != nil || three == one {
		t.Error(three, err)
	}
}

func TestSessionLostInFlight(t *testing.T) {
	leaks(t)
	s := openSelf(t, session.Options{})
	errs := make(chan error, 2)
	for range 2 {
		go func() { errs <- patient.On(s)(context.Background()) }()
	}
	for {
		if st, err := s.Status(t.Context()); err != nil {
			t.Fatal(err)
		} else if st.Executing == 2 {
			break
		}
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(info.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var lost *session.LostError
		var failed *box.DeliveryError
		if err := <-errs; !errors.As(err, &lost) || !lost.Started || !errors.As(err, &failed) || failed.Fate != box.Stopped {
			t.Error(err)
		}
	}
}

func TestSessionOutput(t *testing.T) {
	leaks(t)
	var common, own bytes.Buffer
	s := openSelf(t, session.Options{Stdout: &common, OutputLimit: 10})
	greet.On(s)("you")
	if err := printOwn.On(s)(box.WithOutput(t.Context(), &own, &own), "mine"); err != nil {
		t.Fatal(err)
	}
	if common.String() != "hello, you" || own.String() != "mine" {
		t.Errorf("%q, %q", &common, &own)
	}
}

func TestSessionPipeline(t *testing.T) {
	leaks(t)
	s := openSelf(t, session.Options{})
	ctx := t.Context()
	p := s.Pipeline()
	a := session.Queue(p, ctx, double, 1)
	b := p.Add(ctx, double.Entry(), 2)
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := a.Result(); n != 2 || err != nil {
		t.Error(n, err)
	}
	if n, err := b.Results(); err != nil || n[0] != 4 {
		t.Error(n, err)
	}

	p = s.Pipeline()
	a = session.Queue(p, ctx, double, 1)
	x := session.Queue(p, ctx, broken, "it broke")
	c := session.Queue(p, ctx, double, 3)
	err := p.Run(ctx)
	if err == nil || err.Error() != "it broke" {
		t.Error(err)
	}
	if n, err := a.Result(); n != 2 || err != nil {
		t.Error(n, err)
	}
	_, first := x.Result()
	if _, err := c.Result(); first == nil || !errors.Is(err, first) {
		t.Error(first, err)
	}
}

func TestLiveReader(t *testing.T) {
	leaks(t)
	s := openSelf(t, session.Options{})
	for name, c := range map[string]box.Courier{"session": s, "once": fresh} {
		if n, err := countIn.On(c)(t.Context(), strings.NewReader(strings.Repeat("x", 1<<20))); n != 1<<20 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		r, err := openThere.On(c)("/proc/self/status")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text, err := io.ReadAll(r); err != nil || !bytes.Contains(text, []byte("Pid:")) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSessionWithoutVia(t *testing.T) {
	_, err := delivery.Open(t.Context(), nil)
	var bad *box.PackingError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "set Via") {
		t.Error(err)
	}
}

func TestSessionClosed(t *testing.T) {
	leaks(t)
	s, err := delivery.Open(t.Context(), transport.Self{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := samePID.On(s)(); !errors.Is(err, session.ErrClosed) {
		t.Error(err)
	}
	if !errors.Is(s.Err(), session.ErrClosed) || s.Alive() {
		t.Error(s.Err())
	}
}

// A worker that is stopped does not end when it is asked to.
func TestSessionCloseStopped(t *testing.T) {
	leaks(t)
	s, err := delivery.Open(t.Context(), transport.Self{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(info.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var rest *session.CloseError
	if err := s.CloseContext(ctx); !errors.As(err, &rest) || !rest.Gone || len(rest.Steps) < 2 {
		t.Error(err)
	}
}
