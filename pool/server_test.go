package pool_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
)

var (
	hidden  = registry.Register("hidden", func() (string, error) { return "seen", nil })
	refPID  = registry.Register("ref.pid", refersTo)
	stopRef = registry.Register("ref.kill", func(ctx context.Context, r process.Ref) error {
		p, err := r.Process()
		if err != nil {
			return err
		}
		return p.Kill(ctx)
	})
)

// refersTo gives the number of the process that it was given, which runs in this very worker.
func refersTo(_ context.Context, r process.Ref) (int, error) {
	p, err := r.Process()
	if err != nil {
		return 0, err
	}
	return p.PID(), nil
}

var (
	owner    = pool.Peer{UID: os.Geteuid()}
	stranger = pool.Peer{UID: 54321, Groups: []int{54322, 54323}}
)

// newServer starts a server within this process.
func newServer(t *testing.T, o pool.ServeOptions) *pool.Server {
	t.Helper()
	leaks(t)
	if o.Log == nil {
		o.Log = (&logBook{}).logger()
	}
	s, err := pool.NewServer(t.Context(), o)
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func dial(t *testing.T, s *pool.Server, who pool.Peer, o ...session.Options) *pool.Client {
	t.Helper()
	c, err := pool.DialVia(t.Context(), s.Via(who), o...)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// EB-28: a server and its clients without a socket. What goes through it is what goes through any other courier.
func TestEB28Conformance(t *testing.T) {
	couriertest.Run(t, func(t *testing.T) box.Courier {
		return dial(t, newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 2}}), owner)
	})
}

// EB-23: the form of the wire is negotiated: binary, or text for ways that mangle bytes; a client may also come for one call.
func TestEB23Forms(t *testing.T) {
	s := newServer(t, pool.ServeOptions{})
	testBodies(t, dial(t, s, owner, session.Options{Text: true}))
	testBodies(t, dial(t, s, owner))
	once := delivery.Once{Via: s.Via(owner)}
	testBodies(t, once)
	testBodies(t, delivery.Once{Via: s.Via(owner), Text: true})
}

// EB-18: after Close there is an error that says so.
func TestEB18ClosedClient(t *testing.T) {
	c, err := pool.DialVia(t.Context(), newServer(t, pool.ServeOptions{}).Via(owner))
	must(t, err)
	must(t, c.Close())
	_, err = c.Run(t.Context(), "true")
	if !errors.Is(err, session.ErrClosed) {
		t.Errorf("%+v", err)
	}
}

// EB-20, EB-22: what is not there is an error for who asked, and for nobody else.
func TestEB20EB22Unknown(t *testing.T) {
	c := dial(t, newServer(t, pool.ServeOptions{Only: []string{"pid", "echo"}}), owner)
	before, err := pid.On(c)(t.Context())
	must(t, err)
	_, err = hidden.On(c)()
	var packing *box.PackingError
	if !errors.As(err, &packing) || !strings.Contains(err.Error(), "no such function is offered here") {
		t.Errorf("%+v", err)
	}
	if after, err := pid.On(c)(t.Context()); err != nil || after != before {
		t.Errorf("worker %d, then %d, %v", before, after, err)
	}
}

// EB-22: a client whose server ends learns it.
func TestEB22Disconnected(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Drain: -1, Session: session.Options{Grace: 50 * time.Millisecond}}})
	c, err := pool.DialVia(t.Context(), s.Via(owner))
	must(t, err)
	busy := hold1(t, c)
	must(t, s.Close())
	if err := arrives(t, "the end of the call", busy.done); err == nil {
		t.Error("a call of a server that ended succeeded")
	}
	_, err = pid.On(c)(t.Context())
	if !errors.Is(err, session.ErrLost) {
		t.Errorf("%+v", err)
	}
	must(t, c.Close())
}

// A server that drains lets calls that run end, takes no more, and sends its clients away.
func TestDrainServer(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 2}})
	idle, c := dial(t, s, owner), dial(t, s, owner)
	busy := hold1(t, c)
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	arrives(t, "the end of a client without calls", idle.Done())
	_, err := pid.On(c)(t.Context())
	if !errors.Is(err, pool.ErrClosed) {
		t.Errorf("%+v", err)
	}
	if _, err := pool.DialVia(t.Context(), s.Via(owner)); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("%+v", err)
	}
	must(t, busy.release(t))
	must(t, arrives(t, "the end of draining", drained))
}

// EB-34, through a server: a hung worker is replaced, and its client stays connected.
func TestEB34HungWorkerOfServer(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{
		Size: 1, TaskTimeout: 200 * time.Millisecond, Session: session.Options{Grace: 50 * time.Millisecond},
	}})
	c := dial(t, s, owner)
	err := stubborn.On(c)(t.Context())
	var late *pool.TimeoutError
	if !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", err)
	}
	_, err = pid.On(c)(t.Context())
	must(t, err)
	if st := s.Stats(); st.Replaced[pool.ReplacedHung] != 1 {
		t.Errorf("%+v", st)
	}
	var remote *box.RemoteError
	if err := exit.On(c)(t.Context(), 9); !errors.As(err, &remote) || remote.Kind != box.Exited || remote.Code != 9 {
		t.Errorf("%+v", err)
	}
	_, err = pid.On(c)(t.Context())
	must(t, err)
}

// EB-05, EB-07, through a server: clients without calls have no worker; a worker is of one user at a time, and for so many
// turns.
func TestEB05EB07Seats(t *testing.T) {
	s := newServer(t, pool.ServeOptions{
		Pool:  pool.Options{Size: 1, MaxTasksPerWorker: 3},
		Rules: []pool.Rule{{User: "#54321", Functions: []string{"pid"}}},
	})
	var clients []*pool.Client
	for range 20 {
		clients = append(clients, dial(t, s, owner))
	}
	var pids []int
	for _, c := range clients[:6] {
		n, err := pid.On(c)(t.Context())
		must(t, err)
		pids = append(pids, n)
	}
	if distinct(pids) != "2 of 6" || pids[0] != pids[2] {
		t.Errorf("workers %v", pids)
	}
	first, err := pid.On(clients[0])(t.Context())
	must(t, err)
	other := dial(t, s, stranger)
	second, err := pid.On(other)(t.Context())
	must(t, err)
	if first == second || s.Stats().Replaced[pool.ReplacedForOther] != 1 {
		t.Errorf("two users had worker %d: %+v", first, s.Stats())
	}
	// Calls of one client at the same time run in one worker; those of another one wait.
	busy := hold1(t, clients[0])
	if n, err := pid.On(clients[0])(t.Context()); err != nil || n != busy.pid {
		t.Errorf("worker %d beside %d, %v", n, busy.pid, err)
	}
	waits := make(chan int, 1)
	go func() {
		n, _ := pid.On(other)(context.Background())
		waits <- n
	}()
	for s.Stats().Waiting == 0 {
		time.Sleep(time.Millisecond)
	}
	must(t, busy.release(t))
	if n := arrives(t, "the other client's turn", waits); n == 0 || n == busy.pid {
		t.Errorf("its worker is %d", n)
	}
}

// A client cannot have for itself what would stay for the next one.
func TestUnfitClients(t *testing.T) {
	s := newServer(t, pool.ServeOptions{})
	for want, o := range map[string]session.Options{
		"a directory": {Dir: "/usr"}, "an environment": {Env: []string{"A=1"}}, "a umask": {Umask: 0o22}, "a priority": {Nice: 3},
	} {
		_, err := pool.DialVia(t.Context(), s.Via(owner), o)
		if err == nil || !strings.Contains(err.Error(), "none gets "+want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	c := dial(t, s, owner)
	must(t, c.Signal(t.Context(), syscall.SIGKILL)) // nobody heeds it
	_, err := pid.On(c)(t.Context())
	must(t, err)
	info, err := c.Info(t.Context())
	if err != nil || info.PID != os.Getpid() {
		t.Errorf("%+v, %v", info, err)
	}
	if st, err := c.Status(t.Context()); err != nil || st.Calls != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

// EB-24, through a server.
func TestEB24BodiesThroughServer(t *testing.T) {
	testBodies(t, dial(t, newServer(t, pool.ServeOptions{}), owner))
}

// EB-32: many goroutines, one client, and many clients.
func TestEB32ManyClients(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 4, MaxTasksPerWorker: 20}})
	shared := dial(t, s, owner)
	var work sync.WaitGroup
	for i := range 12 {
		c := shared
		if i%2 == 0 {
			c = dial(t, s, owner)
		}
		work.Go(func() {
			for n := range 10 {
				want := strings.Repeat(string(rune('a'+i)), n+1)
				out, err := c.Run(t.Context(), "echo", want)
				if err != nil || string(out.Stdout) != want+"\n" {
					t.Errorf("%q, %v", out.Stdout, err)
					return
				}
			}
		})
	}
	work.Wait()
}
