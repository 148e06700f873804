// Command load is many clients of a pool that run "ls -al" and "date" in a loop, without a pause.
//
//	make load
//	bin/load -clients 32 -for 30s
//	bin/load -each           # a connection for each command, as in errand-boy's own load test
//	bin/load -socket PATH    # of a server that runs already
//
// It prints how many commands ended in a second, the percentiles of how long one took, and what failed; the exit status is 1
// if anything did. errand-boy, whose load test this is, came to 240 commands a second with a connection for each on two
// CPUs of the machine where the goal of four times as many was set.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
)

// goal is four times what errand-boy does, in commands a second.
const goal = 4 * 240

// settings are what is loaded, and how.
type settings struct {
	socket  string
	clients int
	size    int
	lasts   time.Duration
	each    bool
}

func main() {
	pool.Register()
	delivery.Main()
	var s settings
	flag.StringVar(&s.socket, "socket", "", "the `path` of a server that runs already")
	flag.IntVar(&s.clients, "clients", 16, "how many clients there are")
	flag.IntVar(&s.size, "pool-size", 10, "how many workers the server has")
	flag.DurationVar(&s.lasts, "for", 10*time.Second, "how long it lasts")
	flag.BoolVar(&s.each, "each", false, "a connection for each command")
	serve := flag.String("serve", "", "be the server on the socket at `path`")
	flag.Parse()
	err := errors.New("usage: load [-socket PATH] [-clients N] [-pool-size N] [-for TIME] [-each]")
	switch {
	case *serve != "":
		err = playServer(*serve, s.size)
	case s.clients > 0 && s.size > 0 && s.lasts > 0 && flag.NArg() == 0:
		err = run(s, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// playServer serves until SIGTERM.
func playServer(path string, size int) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return pool.Serve(ctx, pool.ServeOptions{
		Socket: path, Pool: pool.Options{Size: size, Min: size},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// run starts a server, unless there is one, and loads it.
func run(s settings, out io.Writer) error {
	if s.socket == "" {
		dir, err := os.MkdirTemp("", "load")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.socket = filepath.Join(dir, "run", "pool.sock")
		end, err := startServer(s)
		if err != nil {
			return err
		}
		defer end()
	}
	r := load(s)
	err := r.print(s, out)
	if n := alone(); n > 0 {
		fmt.Fprintf(out, "for comparison: this program alone, two at a time: %.0f a second\n", n)
	}
	return err
}

// startServer starts this program as the server, in a process of its own, and waits until it serves.
func startServer(s settings) (end func(), err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "-serve", s.socket, "-pool-size", fmt.Sprint(s.size)) //nolint:noctx // end ends it
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	end = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			fmt.Fprintln(os.Stderr, "load: the server:", err)
		}
	}
	for {
		c, err := pool.Dial(context.Background(), s.socket)
		if err == nil {
			return end, c.Close()
		}
		select {
		case why := <-ended:
			ended <- why
			return nil, fmt.Errorf("the server has ended: %w; a client says %w", why, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A result is what came of the load.
type result struct {
	took   []time.Duration // of each command, all clients' together
	errs   map[string]int  // what failed, and how often
	lasted time.Duration
}

// load has all clients run commands, until the time is over.
func load(s settings) *result {
	ctx, cancel := context.WithTimeout(context.Background(), s.lasts)
	defer cancel()
	r := &result{errs: map[string]int{}}
	var mu sync.Mutex
	var work sync.WaitGroup
	begun := time.Now()
	for i := range s.clients {
		work.Go(func() {
			c := &client{settings: s, errs: map[string]int{}}
			c.loop(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			r.took = append(r.took, c.took...)
			for why, n := range c.errs {
				r.errs[why] += n
			}
		})
	}
	work.Wait()
	r.lasted = time.Since(begun)
	slices.Sort(r.took)
	return r
}

// alone is how many of the commands a second this program runs by itself, two at a time, for two seconds: what the machine
// has to give at the moment. 0 if it cannot.
func alone() float64 {
	var ran atomic.Int64
	var work sync.WaitGroup
	begun := time.Now()
	for i := range 2 {
		work.Go(func() {
			for n := i; time.Since(begun) < 2*time.Second; n++ {
				cmd := exec.Command(commands[n%len(commands)][0], commands[n%len(commands)][1:]...) //nolint:noctx // it is short
				cmd.Dir = "/"
				if out, err := cmd.Output(); err != nil || len(out) == 0 {
					return
				}
				ran.Add(1)
			}
		})
	}
	work.Wait()
	return float64(ran.Load()) / time.Since(begun).Seconds()
}

// A client runs one command after the other.
type client struct {
	settings
	conn *pool.Client
	took []time.Duration
	errs map[string]int
}

var commands = [][]string{{"ls", "-al"}, {"date"}}

func (c *client) loop(ctx context.Context, first int) {
	for n := first; ctx.Err() == nil; n++ {
		begun := time.Now()
		err := c.command(context.WithoutCancel(ctx), commands[n%len(commands)])
		if err != nil {
			c.errs[err.Error()]++
			continue
		}
		c.took = append(c.took, time.Since(begun))
	}
	c.hangUp()
}

func (c *client) command(ctx context.Context, argv []string) (err error) {
	if c.conn == nil {
		if c.conn, err = pool.Dial(ctx, c.socket); err != nil {
			return err
		}
	}
	if c.each {
		defer c.hangUp()
	}
	out, err := c.conn.Run(ctx, argv...)
	switch {
	case err != nil:
		c.hangUp()
		return err
	case out.Code != 0 || len(out.Stdout) == 0:
		return fmt.Errorf("%q ended with %d and %d bytes, and said %q", argv, out.Code, len(out.Stdout), out.Stderr)
	}
	return nil
}

func (c *client) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// print shows a result, and is an error if anything failed.
func (r *result) print(s settings, out io.Writer) error {
	failed := 0
	for why, n := range r.errs {
		failed += n
		fmt.Fprintf(out, "%d × %s\n", n, why)
	}
	if len(r.took) == 0 {
		return fmt.Errorf("no command ended well, %d failed", failed)
	}
	at := func(percent int) time.Duration {
		return r.took[min(len(r.took)*percent/100, len(r.took)-1)].Round(10 * time.Microsecond)
	}
	how := "one connection each"
	if s.each {
		how = "a connection for each command"
	}
	rate := float64(len(r.took)) / r.lasted.Seconds()
	fmt.Fprintf(out, "%d clients, %s, %d workers, %s\n", s.clients, how, s.size, r.lasted.Round(time.Millisecond))
	fmt.Fprintf(out, "%d commands, %d failed, %.0f a second (goal %d)\n", len(r.took), failed, rate, goal)
	fmt.Fprintf(out, "50%% %s  66%% %s  75%% %s  90%% %s  95%% %s  99%% %s  100%% %s\n",
		at(50), at(66), at(75), at(90), at(95), at(99), at(100))
	if failed > 0 {
		return fmt.Errorf("%d commands failed", failed)
	}
	return nil
}
