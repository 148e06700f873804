// Pool has a few warm workers do what many ask for: functions as another user, and commands.
//
//	go run ./examples/pool                            # four workers on this machine
//	go build -o /tmp/pool ./examples/pool
//	/tmp/pool -via sudo                               # as root
//	/tmp/pool -via ssh=web1//sudo -workers 2          # on another host, which has this program at the same place
//
// It asks for the size of each directory that it is given, all at once, and for what du says of it.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

var count = registry.Register("count", countFiles)

func main() {
	pool.Register() // the workers may run commands
	delivery.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pool", flag.ContinueOnError)
	flags.SetOutput(stderr)
	text := flags.String("via", "self", "where the workers are: a transport in `spec` form")
	workers := flags.Int("workers", 4, "how many there are at most")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	spec, err := transport.Parse(*text)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	dirs := flags.Args()
	if len(dirs) == 0 {
		dirs = []string{"/etc", "/usr/bin", "/usr/lib", "/usr/share", "/var/lib", "/var/log"}
	}
	o := pool.Options{Size: *workers, TaskTimeout: time.Minute, Session: delivery.SessionFor(spec)}
	o.Via = o.Session.Via
	p, err := pool.Open(ctx, o)
	if err == nil {
		err = errors.Join(sizes(ctx, p, dirs, stdout), p.Close())
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// sizes asks for all directories at once; those for whom there is no worker wait for one.
func sizes(ctx context.Context, p *pool.Pool, dirs []string, stdout io.Writer) error {
	lines, errs := make([]string, len(dirs)), make([]error, len(dirs))
	var work sync.WaitGroup
	for i, dir := range dirs {
		work.Go(func() {
			files, err := count.On(p)(ctx, dir)
			if err != nil {
				errs[i] = err
				return
			}
			out, err := p.Commands().Run(ctx, "du", "-sh", "--", dir)
			size, _, _ := strings.Cut(string(out.Stdout), "\t")
			lines[i], errs[i] = fmt.Sprintf("%s: %d files, %s\n", dir, files, cmp.Or(size, "?")), err
		})
	}
	work.Wait()
	for _, line := range lines {
		fmt.Fprint(stdout, line)
	}
	s := p.Stats()
	fmt.Fprintf(stdout, "%d calls in %d workers\n", s.Calls, s.Started)
	return errors.Join(errs...)
}

// countFiles counts the files below a directory. What it may not look into it leaves out.
func countFiles(ctx context.Context, dir string) (n int, err error) {
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) && name != dir:
			return nil
		case err == nil && e.Type().IsRegular():
			n++
		}
		return err
	})
	return n, err
}
