package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var (
	flood = registry.Register("flood", func(ctx context.Context, n int) error {
		_, err := io.CopyN(box.Stdout(ctx), zeros{}, int64(n))
		return err
	})
	// tardy ends just when its grace does.
	tardy = registry.Register("tardy", func(ctx context.Context, in func() error, grace time.Duration) error {
		err := in()
		<-ctx.Done()
		time.Sleep(grace)
		return err
	})
	big  = registry.Register("big", func(n int) ([]byte, error) { return make([]byte, n), nil })
	pour = registry.Register("pour", func(_ context.Context, n int, to io.Writer) error {
		_, err := io.CopyN(to, zeros{}, int64(n))
		return err
	})
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A jam is a writer that takes nothing until it is let go.
type jam struct {
	gate chan bool
	open func()
}

func newJam(t *testing.T) jam {
	gate := make(chan bool)
	j := jam{gate, sync.OnceFunc(func() { close(gate) })}
	t.Cleanup(j.open)
	return j
}

func (j jam) Write(p []byte) (int, error) {
	<-j.gate
	return len(p), nil
}

// serves1 wants a server's one worker to serve somebody soon.
func serves1(t *testing.T, s *pool.Server, after string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := pid.On(dial(t, s, owner))(ctx); err != nil {
		t.Errorf("after %s nobody is served: %+v", after, err)
	}
}

// A client that does not take what its call writes keeps the worker for TaskTimeout and Patience, and no longer.
func TestSlowReader(t *testing.T) {
	for what, call := range map[string]func(*pool.Client, jam) error{
		"a command": func(c *pool.Client, j jam) error {
			p, err := process.On(c).Start(context.Background(), process.Config{Argv: []string{"yes"}}, process.Stdio{Stdout: j})
			if err == nil {
				_, err = p.Wait(context.Background())
			}
			return err
		},
		"a function": func(c *pool.Client, _ jam) error { return flood.On(c)(context.Background(), 16<<20) },
		"a writer":   func(c *pool.Client, j jam) error { return pour.On(c)(context.Background(), 16<<20, j) },
	} {
		t.Run(what, func(t *testing.T) {
			s := newServer(t, pool.ServeOptions{Patience: 500 * time.Millisecond, Pool: pool.Options{
				Size: 1, TaskTimeout: 200 * time.Millisecond, Session: session.Options{Grace: 50 * time.Millisecond},
			}})
			j := newJam(t)
			c, err := pool.DialVia(t.Context(), s.Via(owner), session.Options{Stdout: j})
			must(t, err)
			ended := make(chan error, 1)
			go func() { ended <- call(c, j) }()
			time.Sleep(50 * time.Millisecond) // it is likely to have the worker then; if not, the test is easier
			serves1(t, s, what)
			j.open()
			if err := arrives(t, "the end of the call", ended); err == nil {
				t.Error("the call succeeded")
			}
			_ = c.Close() // it may have been cut off
		})
	}
}

// A deaf client speaks the protocol, and reads nothing after the hello.
type deaf struct {
	in, out *os.File
	conn    transport.Dialed
	wire    *wire.Wire
}

func dialDeaf(t *testing.T, s *pool.Server, who pool.Peer) *deaf {
	t.Helper()
	theirIn, in, err := os.Pipe()
	must(t, err)
	out, theirOut, err := os.Pipe()
	must(t, err)
	stderr, theirErr, err := os.Pipe()
	must(t, err)
	stderr.Close()
	conn, err := s.Via(who).(transport.Dialer).Dial(t.Context(), []string{"x", wire.Verb}, [3]*os.File{theirIn, theirOut, theirErr})
	must(t, err)
	w, _, err := wire.Offer(out, in, &wire.Preamble{Build: build.ID(), Registry: registry.Fingerprint(), Session: true}, wire.Options{})
	must(t, err)
	d := &deaf{in, out, conn, w}
	t.Cleanup(func() {
		in.Close()
		out.Close()
		conn.Close()
		_, _ = conn.Wait()
	})
	return d
}

// A client that asks without end and reads nothing is cut off.
func TestDeafClient(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 1}})
	d := dialDeaf(t, s, stranger)
	asked := make(chan error, 1)
	go func() {
		for range 200_000 {
			if err := d.wire.WriteFrame(wire.Status, 0, 1, []byte("i")); err != nil {
				asked <- err
				return
			}
		}
		asked <- nil
	}()
	if err := arrives(t, "the end of asking", asked); err == nil {
		t.Error("200000 questions were taken without one answer being read")
	}
	serves1(t, s, "a client that only asks")
}

// A client that has closed its way there, and reads nothing, does not keep the server from ending.
func TestDeafClientThatLeaves(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 1, Drain: -1}})
	d := dialDeaf(t, s, owner)
	for range 2000 { // more than a pipe holds
		must(t, d.wire.WriteFrame(wire.Status, 0, 1, []byte("i")))
	}
	d.in.Close()
	left := make(chan bool)
	go func() { _, _ = d.conn.Wait(); close(left) }()
	arrives(t, "the end of the connection", left)
}

// Workers that died hold no place, whoever still has a use for what came of them.
func TestDeadWorkersTakeNoPlace(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 2, Session: session.Options{Grace: 50 * time.Millisecond}}})
	c := dial(t, s, owner)
	for range 3 {
		r, err := openFile.On(c)("/dev/zero")
		must(t, err)
		defer r.Close()
		if err := exit.On(c)(t.Context(), 3); err == nil {
			t.Fatal("the worker lives")
		}
	}
	serves1(t, s, "the death of workers with results")
	p := open(t, pool.Options{Size: 1})
	alone, err := p.Session(t.Context())
	must(t, err)
	_ = killed.On(alone)()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := pid.On(p)(ctx); err != nil {
		t.Errorf("while somebody has a session with a dead worker: %v", err)
	}
	must(t, alone.Close())
	must(t, p.Drain(ctx))
	if s := p.Stats(); s.Replaced[pool.ReplacedLost] != 1 || s.Replaced[pool.ReplacedSession] != 0 {
		t.Errorf("%+v", s)
	}
}

// A client whose calls never pause lets others have their turn.
func TestGreedyClient(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 1}})
	c := dial(t, s, owner)
	over, greedy := make(chan bool), make(chan error, 1)
	go func() {
		last := func() error { return nil }
		for n := 0; ; n++ {
			next, started := make(chan error, 1), make(chan bool)
			gate := make(chan bool)
			go func() {
				next <- hold.On(c)(context.Background(), func(int) error { close(started); return nil }, gate)
			}()
			select { // a call ends when the next one has begun, or cannot
			case <-started:
			case <-time.After(50 * time.Millisecond):
			case <-over:
				close(gate)
				greedy <- errors.Join(last(), <-next)
				return
			}
			if err := last(); err != nil {
				greedy <- err
				return
			}
			last = func() error { close(gate); return <-next }
		}
	}()
	becomes1(t, s, func(s pool.Stats) bool { return s.Busy == 1 })
	serves1(t, s, "calls without a pause")
	close(over)
	must(t, arrives(t, "the end of the greedy one", greedy))
}

func becomes1(t *testing.T, s *pool.Server, ok func(pool.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(s.Stats()); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not happen: %+v", s.Stats())
		}
	}
}

// Each start that fails fails a call: with n calls there are about n starts, and not n times the size.
func TestStartsThatFail(t *testing.T) {
	const calls, size = 60, 10
	p := open(t, pool.Options{Via: transport.Command{Prefix: []string{"/bin/false"}}, Min: -1, Size: size})
	var work sync.WaitGroup
	for range calls {
		work.Go(func() {
			if _, err := pid.On(p)(context.Background()); !errors.As(err, new(*box.TransportError)) {
				t.Errorf("%+v", err)
			}
		})
	}
	work.Wait()
	if s := p.Stats(); s.Unstarted > calls+size || s.Waiting != 0 {
		t.Errorf("%d calls: %+v", calls, s)
	}
}

// Numbers at the edge.
func TestEdges(t *testing.T) {
	p := open(t, pool.Options{Min: -1})
	for _, c := range []struct{ n, want int }{{math.MaxInt, 4096}, {math.MinInt, 1}, {0, 1}, {4095, 4096}, {1, 4096}, {-4090, 6}} {
		if got := p.Scale(c.n); got != c.want {
			t.Errorf("scaled by %d: %d; want %d", c.n, got, c.want)
		}
	}
	for what, o := range map[string]pool.Options{
		"least": {Size: 1, MaxTasksPerWorker: 1, IdleTimeout: 1, Queue: -1, TaskTimeout: math.MaxInt64, Concurrency: 1},
		"most": {
			Size: 4096, Min: -1, MaxTasksPerWorker: math.MaxInt, IdleTimeout: math.MaxInt64, Queue: math.MaxInt, Concurrency: 1 << 16,
			MaxCalls: math.MaxInt64, Drain: math.MaxInt64,
		},
	} {
		p := open(t, o)
		for range 3 {
			if _, err := pid.On(p)(t.Context()); err != nil {
				t.Errorf("%s: %+v", what, err)
			}
		}
	}
	for _, o := range []pool.Options{
		{Concurrency: math.MaxInt}, {Size: math.MaxInt}, {Size: math.MinInt}, {MaxCalls: math.MinInt64}, {TaskTimeout: -1}, {Min: 5000, Size: 5000},
	} {
		o.Via = transport.Self{}
		if _, err := pool.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "field ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Calls that a starting worker will run at once do not count as waiting.
func TestQueueOfAStartingWorker(t *testing.T) {
	p := open(t, pool.Options{Size: 1, Min: -1, Concurrency: 8, Queue: -1})
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() { _, err := pid.On(p)(context.Background()); errs <- err }()
	}
	for range cap(errs) {
		must(t, arrives(t, "a call", errs))
	}
}

// packed is the box of a call.
func packed(t *testing.T, call func(box.Courier)) *box.Box {
	t.Helper()
	var p packer
	call(&p)
	if p.box == nil {
		t.Fatal("nothing was packed")
	}
	return p.box
}

type packer struct{ box *box.Box }

func (p *packer) Deliver(_ context.Context, b *box.Box) (*box.Reply, error) {
	p.box = b
	return nil, box.NewDeliveryError(box.DeliveryError{Err: io.EOF})
}

// Replies that a guest does not read do not pile up: its next calls wait.
func TestUnreadReplies(t *testing.T) {
	s := newServer(t, pool.ServeOptions{
		Rules: []pool.Rule{{User: fmt.Sprintf("#%d", stranger.UID), Functions: []string{"big"}}},
		Pool:  pool.Options{Size: 1},
	})
	d := dialDeaf(t, s, stranger)
	b := packed(t, func(c box.Courier) { _, _ = big.On(c)(256 << 10) })
	segments, err := b.Segments()
	must(t, err)
	const calls, most = 500, 64
	go func() {
		for i := range uint32(calls) {
			_ = d.wire.WriteMessage(wire.Call, 2*i+1, segments) // the end of the test may come before
		}
	}()
	becomes1(t, s, func(s pool.Stats) bool { return s.Calls >= most-4 })
	serves1(t, s, "calls whose replies nobody reads")
	if n := s.Stats().Calls; n > most+4 { // that of another one, and what fits into pipes
		t.Errorf("%d of %d calls ran", n, calls)
	}
}

// A call that comes to a worker which is about to end, because another call did not end in time, is another worker's.
func TestCallsOfAnEndingWorker(t *testing.T) {
	const grace = 30 * time.Millisecond
	o := pool.Options{Size: 1, Session: session.Options{Grace: grace}}
	p := open(t, o)
	c := dial(t, newServer(t, pool.ServeOptions{Pool: o}), owner)
	for round := range 12 {
		for _, courier := range []box.Courier{p, c} {
			ctx, cancel := context.WithCancel(t.Context())
			in := make(chan bool)
			ended := make(chan error, 1)
			go func() { ended <- tardy.On(courier)(ctx, func() error { close(in); return nil }, grace) }()
			arrives(t, "the start", in)
			cancel()
			arrives(t, "the end", ended)
			if _, err := harmless.On(courier)(); err != nil {
				t.Fatalf("round %d: %+v", round, err)
			}
		}
	}
}
