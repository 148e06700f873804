// Session opens one worker and makes many calls on it: one sudo, one ssh handshake, and then each call costs about what
// a write to a pipe does.
//
//	go run ./examples/session                      # root on this machine, through sudo
//	go run ./examples/session -via self
//	go run ./examples/session -via ssh=web1//sudo
//
// A function that gets a callback calls back into the caller, while it runs; what it logs arrives in the caller's log.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var (
	square = registry.Register("square", func(n int) int { return n * n })
	whoami = registry.Register("whoami", func() (uid, pid int) { return os.Getuid(), os.Getpid() })
	search = registry.Register("search", searchFor)
)

// searchFor looks for the smallest number with so many divisors, and says how far it is.
func searchFor(ctx context.Context, divisors int, progress func(tried int)) (int, error) {
	slog.InfoContext(ctx, "searching", "divisors", divisors)
	for n := 1; ; n++ {
		if n%1000 == 0 {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			progress(n)
		}
		if count(n) >= divisors {
			return n, nil
		}
	}
}

func count(n int) int {
	found := 0
	for d := 1; d*d <= n; d++ {
		switch {
		case d*d == n:
			found++
		case n%d == 0:
			found += 2
		}
	}
	return found
}

func main() {
	delivery.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("session", flag.ContinueOnError)
	flags.SetOutput(stderr)
	text := flags.String("via", "sudo", "where the functions run: a transport in `spec` form")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	spec, err := transport.Parse(*text)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	if err := talk(ctx, spec, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "%+v\n", err)
		return 1
	}
	return 0
}

func talk(ctx context.Context, spec transport.Spec, stdout, stderr io.Writer) (err error) {
	options := delivery.SessionFor(spec)
	options.Log = slog.NewTextHandler(stderr, nil)
	worker, err := session.Open(ctx, options)
	if err != nil {
		return err
	}
	defer func() {
		if failed := worker.Close(); err == nil {
			err = failed
		}
	}()

	uid, pid := whoami.On(worker)()
	fmt.Fprintf(stdout, "one worker: uid %d, pid %d\n", uid, pid)

	start := time.Now()
	const calls = 10_000
	for n := range calls {
		if got := square.On(worker)(n); got != n*n {
			return fmt.Errorf("the square of %d is not %d", n, got)
		}
	}
	fmt.Fprintf(stdout, "%d calls, one after the other: %s each\n", calls, time.Since(start)/calls)

	start = time.Now()
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			for n := range calls / 32 {
				square.On(worker)(n)
			}
		})
	}
	callers.Wait()
	fmt.Fprintf(stdout, "the same by 32 callers at once: %s each\n", time.Since(start)/calls)

	n, err := search.On(worker)(ctx, 64, func(tried int) { fmt.Fprintf(stdout, "tried %d\n", tried) })
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "the smallest number with 64 divisors is %d\n", n)

	status, err := worker.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "the worker has served %d calls\n", status.Calls)
	return nil
}
