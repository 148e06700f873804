package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// shout gives back what it gets: the least that a warm call can do.
var shout = registry.Register("bench.shout", func(b []byte) ([]byte, error) { return b, nil })

// How many calls one sample has: of a latency, of a rate, and of a rate that shows growth. Tests make fewer.
var warmCalls, manyCalls, growCalls = 400, 16_000, 4_000

const callers = 32

// warmRows are calls on a session that is open: one at a time, and many callers at once. An idle CPU of a virtual machine
// takes longer to wake than a call takes, so latency keeps both processes on one.
func warmRows() []row {
	return []row{
		warmRow("R4", "warm call, 128 B", transport.Self{}),
		warmRow("R4", "warm call, 128 B, sudo", transport.Sudo{}, stage.Sudo),
		busyRow("R5", "32 callers, one CPU", false),
		busyRow("R5", "32 callers, all CPUs", true),
	}
}

func warmRow(id, name string, via transport.Transport, needs ...string) row {
	return row{
		id: id, name: name, unit: microseconds, rounds: 60, needs: needs,
		set: func(*stage.Stage) (*race, error) {
			return warm(via, 128, manner{calls: warmCalls},
				goal{AtMost: 2.5}, goal{AtMost: 0.6})
		},
	}
}

func busyRow(id, name string, spread bool) row {
	return row{
		id: id, name: name, unit: perSecond, rounds: 15, spread: spread,
		set: func(*stage.Stage) (*race, error) {
			return warm(transport.Self{}, 128, manner{calls: manyCalls, callers: callers},
				goal{}, goal{AtLeast: 2.5})
		},
	}
}

// A manner is how calls are made: one after the other, of which the median counts, or by many callers at once, of whom
// the calls in a second do.
type manner struct {
	calls   int
	callers int // 0: one after the other
}

func (m manner) of(one func() error) sample {
	if m.callers == 0 {
		return median(one, m.calls)
	}
	return rate(one, m.calls, m.callers)
}

// warm races warm calls with n bytes there and back against a pipe, net/rpc, and the peers that are there.
func warm(via transport.Transport, n int, how manner, pipe, peer goal) (*race, error) {
	data := stamped(n)
	var close closers
	s, err := session.Open(context.Background(), session.Options{Via: via})
	if err != nil {
		return nil, err
	}
	close.add(func() { _ = s.Close() })
	call := shout.On(s)
	ours := how.of(func() error {
		b, err := call(data)
		if err == nil && len(b) != n {
			err = fmt.Errorf("%d bytes came back, not %d", len(b), n)
		}
		return err
	})
	raw, err := startPingPong()
	if err != nil {
		close.run()
		return nil, err
	}
	close.add(raw.close)
	server, err := startRPC()
	if err != nil {
		close.run()
		return nil, err
	}
	close.add(server.close)
	rivals := []rival{{name: "net/rpc", goal: peer, run: how.of(func() error { return server.call(data) })}}
	if pipe != (goal{}) {
		rivals = slices.Insert(rivals, 0, rival{name: "pipe, there and back", goal: pipe, run: how.of(func() error { return raw.call(data) })})
	}
	for _, name := range peerNames {
		p, err := startPeer(name, n)
		if err != nil {
			close.run()
			return nil, err
		}
		if p != nil {
			close.add(p.close)
			rivals = append(rivals, rival{name: name, run: func() (float64, error) { return p.ask(how) }})
		}
	}
	return &race{ours: ours, rivals: rivals, done: close.run}, nil
}

// closers are what is to be closed, last first.
type closers []func()

func (c *closers) add(f func()) { *c = append(*c, f) }

func (c *closers) run() {
	for _, f := range slices.Backward(*c) {
		f()
	}
}

// median is the sample of how long one call of n takes.
func median(one func() error, n int) sample {
	return func() (float64, error) {
		times := make([]float64, n)
		for i := range times {
			start := time.Now()
			if err := one(); err != nil {
				return 0, err
			}
			times[i] = float64(time.Since(start)) / float64(time.Microsecond)
		}
		return summarize(times).Median, nil
	}
}

// rate is the sample of how many of n calls callers make in a second.
func rate(one func() error, n, callers int) sample {
	return func() (float64, error) {
		errs := make([]error, callers)
		start := time.Now()
		var work sync.WaitGroup
		for i := range callers {
			work.Go(func() {
				for range n / callers {
					if errs[i] = one(); errs[i] != nil {
						return
					}
				}
			})
		}
		work.Wait()
		for _, err := range errs {
			if err != nil {
				return 0, err
			}
		}
		return float64(n/callers*callers) / time.Since(start).Seconds(), nil
	}
}

// A pingPong is a process that gives back what it gets over pipes.
type pingPong struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.Reader
	back []byte
}

func startPingPong() (*pingPong, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &pingPong{cmd: exec.Command(exe, echo)} //nolint:noctx // close ends it
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

func (p *pingPong) call(data []byte) error {
	if len(p.back) != len(data) {
		p.back = make([]byte, len(data))
	}
	sent := make(chan error, 1)
	if len(data) <= pipeful {
		_, err := p.in.Write(data)
		sent <- err
	} else {
		go func() { _, err := p.in.Write(data); sent <- err }()
	}
	if _, err := io.ReadFull(p.out, p.back); err != nil {
		return err
	}
	return <-sent
}

func (p *pingPong) close() {
	p.in.Close()
	_ = p.cmd.Wait()
}

// rpcServer plays the far side of net/rpc: over a unix socket, as programs use it.
const rpcServer = "rpc"

// Shout is the service.
type Shout struct{}

// Back gives back what it gets.
func (Shout) Back(in []byte, out *[]byte) error {
	*out = in
	return nil
}

func serveRPC(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(Shout{}); err != nil {
		return err
	}
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	server.ServeConn(conn)
	return nil
}

type rpcPeer struct {
	cmd    *exec.Cmd
	client *rpc.Client
	dir    string
}

func startRPC() (*rpcPeer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &rpcPeer{}
	if p.dir, err = os.MkdirTemp("", "bench-rpc"); err != nil {
		return nil, err
	}
	socket := filepath.Join(p.dir, "socket")
	p.cmd = exec.Command(exe, rpcServer, socket) //nolint:noctx // close ends it
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		if p.client, err = rpc.Dial("unix", socket); err == nil {
			return p, nil
		}
		time.Sleep(10 * time.Millisecond) // it does not say when it listens
	}
	p.close()
	return nil, err
}

func (p *rpcPeer) call(data []byte) error {
	var out []byte
	if err := p.client.Call("Shout.Back", data, &out); err != nil {
		return err
	}
	if len(out) != len(data) {
		return fmt.Errorf("%d bytes came back, not %d", len(out), len(data))
	}
	return nil
}

func (p *rpcPeer) close() {
	if p.client != nil {
		_ = p.client.Close()
	} else {
		_ = p.cmd.Process.Kill()
	}
	_ = p.cmd.Wait()
	os.RemoveAll(p.dir)
}

// warmGrowthRows show how a warm call grows with its argument and with its callers.
func warmGrowthRows() []row {
	var list []row
	for _, size := range []struct {
		name  string
		bytes int
	}{{"128 B", 128}, {"4 KiB", 4 << 10}, {"64 KiB", 64 << 10}, {"1 MiB", 1 << 20}} {
		for _, n := range []int{1, 8, 32, 128} {
			calls := max(min(growCalls, 64<<20/size.bytes), n)
			list = append(list, row{
				id: "growth", name: "warm, " + size.name + ", callers " + strconv.Itoa(n), unit: perSecond, rounds: 5, spread: true,
				set: func(*stage.Stage) (*race, error) {
					return warm(transport.Self{}, size.bytes, manner{calls: calls, callers: n}, goal{}, goal{})
				},
			})
		}
	}
	return list
}
