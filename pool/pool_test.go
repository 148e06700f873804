package pool_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A pool is a courier like any other.
func TestConformance(t *testing.T) {
	for name, o := range map[string]pool.Options{
		"one call a worker": {},
		"many calls":        {Size: 2, Concurrency: 64, MaxTasksPerWorker: 7},
	} {
		t.Run(name, func(t *testing.T) {
			if o.Concurrency > 1 && !full() {
				t.Skip("as with one; POOL_FULL=1 runs it")
			}
			couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, o) })
		})
	}
	t.Run("session", func(t *testing.T) {
		if !full() {
			t.Skip("as without; POOL_FULL=1 runs it")
		}
		couriertest.Run(t, func(t *testing.T) box.Courier {
			s, err := open(t, pool.Options{}).Session(t.Context())
			must(t, err)
			t.Cleanup(func() { must(t, s.Close()) })
			return s
		})
	})
}

// EB-05: as many calls run at once as there are workers; more wait, and get their turn in the order in which they came.
func TestEB05SizeAndOrder(t *testing.T) {
	p := open(t, pool.Options{Size: 2})
	first, second := hold1(t, p), hold1(t, p)
	if first.pid == second.pid {
		t.Errorf("two calls run in worker %d", first.pid)
	}
	var mu sync.Mutex
	var order []int
	var work sync.WaitGroup
	for i := range 5 {
		work.Go(func() {
			_, err := slurp.On(p)(context.Background(), &marker{func() { mu.Lock(); order = append(order, i); mu.Unlock() }})
			if err != nil {
				t.Error(err)
			}
		})
		becomes(t, p, "one more waits", func(s pool.Stats) bool { return s.Waiting == i+1 })
	}
	must(t, first.release(t)) // one worker for all five
	becomes(t, p, "nobody waits", func(s pool.Stats) bool { return s.Waiting == 0 && s.Busy == 1 })
	work.Wait()
	for i := range order {
		if order[i] != i {
			t.Fatalf("they had their turn in the order %v", order)
		}
	}
	must(t, second.release(t))
	if s := p.Stats(); s.Started != 2 || s.Calls != 7 || len(order) != 5 {
		t.Errorf("%+v, order %v", s, order)
	}
}

// A marker is an empty reader that notes when it is read.
type marker struct{ read func() }

func (m *marker) Read([]byte) (int, error) { m.read(); return 0, io.EOF }

// EB-32: a call that waits heeds its context, and the next one takes its place.
func TestEB32WaitingEndsWithContext(t *testing.T) {
	p := open(t, pool.Options{Size: 1})
	busy := hold1(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := pid.On(p)(ctx); done <- err }()
	becomes(t, p, "it waits", func(s pool.Stats) bool { return s.Waiting == 1 })
	cancel()
	wants(t, arrives(t, "the end of waiting", done), context.Canceled, box.NotStarted)
	if s := p.Stats(); s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	must(t, busy.release(t))
	_, err := pid.On(p)(t.Context())
	must(t, err)
}

func TestQueueIsBounded(t *testing.T) {
	for _, c := range []struct{ queue, waits int }{{-1, 0}, {2, 2}} {
		p := open(t, pool.Options{Size: 1, Queue: c.queue})
		busy := hold1(t, p)
		var work sync.WaitGroup
		for i := range c.waits {
			work.Go(func() {
				if _, err := pid.On(p)(context.Background()); err != nil {
					t.Error(err)
				}
			})
			becomes(t, p, "it waits", func(s pool.Stats) bool { return s.Waiting == i+1 })
		}
		_, err := pid.On(p)(t.Context())
		var full *pool.FullError
		if !errors.As(err, &full) || full.Waiting != c.waits || full.Workers != 1 {
			t.Errorf("queue %d: %+v", c.queue, err)
		}
		must(t, busy.release(t))
		work.Wait()
	}
}

// EB-06: after so many calls there are no more.
func TestEB06MaxCalls(t *testing.T) {
	p := open(t, pool.Options{MaxCalls: 3})
	for range 3 {
		_, err := pid.On(p)(t.Context())
		must(t, err)
	}
	_, err := pid.On(p)(t.Context())
	wants(t, err, pool.ErrSpent, box.NotStarted)
}

// EB-11, EB-18: a session is a worker for oneself, whose life it is.
func TestEB11EB18Session(t *testing.T) {
	p := open(t, pool.Options{Size: 2})
	s, err := p.Session(t.Context())
	must(t, err)
	mine, err := pid.On(s)(t.Context())
	must(t, err)
	for range 3 {
		again, err := pid.On(s)(t.Context())
		must(t, err)
		other, err := pid.On(p)(t.Context())
		must(t, err)
		if again != mine || other == mine {
			t.Errorf("the session's worker is %d; then %d served it, and %d the others", mine, again, other)
		}
	}
	must(t, s.Close())
	must(t, s.Close())
	_, err = pid.On(s)(t.Context())
	wants(t, err, pool.ErrSessionClosed, box.NotStarted)
	if err := syscall.Kill(mine, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its worker is still there: %v", err)
	}
}

func TestSessionWaitsForAWorker(t *testing.T) {
	p := open(t, pool.Options{Size: 1})
	busy := hold1(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := p.Session(ctx)
	wants(t, err, context.DeadlineExceeded, box.NotStarted)
	must(t, busy.release(t))
	s, err := p.Session(t.Context())
	must(t, err)
	must(t, s.Close())
}

func TestOpenFails(t *testing.T) {
	for name, c := range map[string]struct {
		o    pool.Options
		want string
	}{
		"no transport":   {pool.Options{}, "field Via: it is missing"},
		"size":           {pool.Options{Via: transport.Self{}, Size: -1}, "field Size -1"},
		"large size":     {pool.Options{Via: transport.Self{}, Size: 1 << 20}, "field Size 1048576: it must not be above"},
		"min":            {pool.Options{Via: transport.Self{}, Size: 2, Min: 3}, "field Min 3: it is above Size"},
		"tasks":          {pool.Options{Via: transport.Self{}, MaxTasksPerWorker: -2}, "field MaxTasksPerWorker -2"},
		"queue":          {pool.Options{Via: transport.Self{}, Queue: -2}, "field Queue -2"},
		"session option": {pool.Options{Via: transport.Self{}, Session: session.Options{Umask: 0o7777}}, "field Umask"},
		"no such way":    {pool.Options{Via: transport.Command{Prefix: []string{"/does/not/exist"}}, Min: 3}, "/does/not/exist"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := pool.Open(t.Context(), c.o)
			if err == nil {
				_ = p.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v; want %q", err, c.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pool.Open(ctx, pool.Options{Via: transport.Self{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// With no worker and none that can be started, each call gets the reason.
func TestNoWorkerCanStart(t *testing.T) {
	p := open(t, pool.Options{Via: transport.Command{Prefix: []string{"/does/not/exist"}}, Min: -1})
	for range 3 {
		_, err := pid.On(p)(t.Context())
		var e *box.TransportError
		if !errors.As(err, &e) {
			t.Errorf("%+v", err)
		}
	}
	if s := p.Stats(); s.Unstarted != 3 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

func TestDrainAndClose(t *testing.T) {
	p := open(t, pool.Options{Size: 1, Drain: -1, Session: session.Options{Grace: 50 * time.Millisecond}})
	busy := hold1(t, p)
	waits := make(chan error, 1)
	go func() { _, err := pid.On(p)(context.Background()); waits <- err }()
	becomes(t, p, "it waits", func(s pool.Stats) bool { return s.Waiting == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drained while a call runs: %v", err)
	}
	_, err := pid.On(p)(t.Context())
	wants(t, err, pool.ErrClosed, box.NotStarted)
	must(t, busy.release(t))
	must(t, arrives(t, "the call that waited", waits)) // it had come before
	must(t, p.Drain(t.Context()))
	must(t, p.Close())
	must(t, p.Close())
}

// Close ends what does not end by itself, in time.
func TestCloseEndsCalls(t *testing.T) {
	p := open(t, pool.Options{Size: 1, Drain: 50 * time.Millisecond, Session: session.Options{Grace: 50 * time.Millisecond}})
	busy := hold1(t, p)
	waits := make(chan error, 1)
	go func() { _, err := pid.On(p)(context.Background()); waits <- err }()
	becomes(t, p, "it waits", func(s pool.Stats) bool { return s.Waiting == 1 })
	must(t, p.Close())
	if err := arrives(t, "the call that ran", busy.done); err == nil {
		t.Error("the call that ran succeeded")
	}
	wants(t, arrives(t, "the call that waited", waits), pool.ErrClosed, box.NotStarted)
}

// EB-27: the log says what happens to workers.
func TestEB27Log(t *testing.T) {
	var book logBook
	p := open(t, pool.Options{Size: 1, MaxTasksPerWorker: 1, Log: book.logger()})
	_, err := pid.On(p)(t.Context())
	must(t, err)
	must(t, p.Close())
	for _, want := range []string{"level=DEBUG msg=\"pool: worker started\" worker=1", "level=INFO msg=\"pool: worker ends\" worker=1 because=spent tasks=1"} {
		if !strings.Contains(book.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, book.String())
		}
	}
}

// EB-24: large bodies and bodies with CRLF arrive as they are.
func TestEB24Bodies(t *testing.T) { testBodies(t, open(t, pool.Options{Size: 1})) }

func testBodies(t *testing.T, c box.Courier) {
	t.Helper()
	for _, body := range []string{
		strings.Repeat("x", 244_544), "foo\r\nbar", "\r\n\r\n", "", "CALL 1\r\nContent-Length: 3\r\n\r\n", string([]byte{0, 0xff, '\r', '\n', 0}),
		strings.Repeat("\r\n", 122_272),
	} {
		got, err := echo.On(c)(t.Context(), []byte(body))
		if err != nil || string(got) != body {
			t.Errorf("a body of %d bytes came back as %d, %v", len(body), len(got), err)
		}
		text, err := slurp.On(c)(t.Context(), strings.NewReader(body))
		if err != nil || text != body {
			t.Errorf("a stream of %d bytes came back as %d, %v", len(body), len(text), err)
		}
	}
}

// EB-19: an error of the function comes back as itself.
func TestEB19Errors(t *testing.T) {
	_, err := openFile.On(open(t, pool.Options{}))("/does/not/exist")
	var path *os.PathError
	if !errors.As(err, &path) || !errors.Is(err, os.ErrNotExist) || path.Path != "/does/not/exist" {
		t.Errorf("%+v", err)
	}
}

// Many callers, small workers: nothing is lost, doubled or starved.
func TestManyCallers(t *testing.T) {
	p := open(t, pool.Options{Size: 4, MaxTasksPerWorker: 50})
	var work sync.WaitGroup
	for i := range 32 {
		work.Go(func() {
			for n := range 25 {
				want := []byte{byte(i), byte(n)}
				got, err := echo.On(p)(t.Context(), want)
				if err != nil || string(got) != string(want) {
					t.Errorf("%v came back as %v, %v", want, got, err)
					return
				}
			}
		})
	}
	work.Wait()
	if s := p.Stats(); s.Calls != 800 || s.Failed != 0 || s.Waiting != 0 || s.Busy != 0 {
		t.Errorf("%+v", s)
	}
}
