// Supervisor keeps programs running, and can itself be restarted, or crash, while they run: they are processes of a kernel,
// which keeps what they print until the next supervisor takes it. Nothing that they print is lost, and nothing comes twice.
//
//	go run ./examples/supervisor web='python3 -m http.server' clock='while date; do sleep 1; done'
//	go run ./examples/supervisor -stop
//
// Ctrl-C ends the supervisor and leaves the programs; the same command goes on with them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/kernel"
	_ "github.com/seed354a1416/deliveryboy/kernel/server" // this program can be the kernel
)

const (
	prefix = "supervised."          // of the names that are this program's
	pause  = 500 * time.Millisecond // before a program is started again
	grace  = 5 * time.Second        // for programs to end, with -stop
)

func main() {
	delivery.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	socket := flag.String("kernel", "", "`path` of the kernel's socket; the default is this user's own kernel")
	end := flag.Bool("stop", false, "end the programs")
	flag.Parse()
	if err := run(ctx, *socket, *end, flag.Args(), os.Stdout); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, socket string, end bool, programs []string, out io.Writer) error {
	c, err := kernel.Open(ctx, kernel.Options{Socket: socket, Start: true})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if end {
		if err := c.StopProcesses(ctx, grace, prefix+"*"); err != nil {
			return err
		}
		return c.RemoveProcesses(ctx, prefix+"*")
	}
	start := map[string]func() error{}
	for _, p := range programs {
		name, line, _ := strings.Cut(p, "=")
		spec := kernel.ProcessSpec{Args: []string{line}, Shell: true, Env: os.Environ(), Stderr: kernel.Merged}
		start[prefix+name] = func() error {
			_, err := c.MakeProcess(ctx, prefix+name, spec) // one that runs already is the one
			return err
		}
		if err := start[prefix+name](); err != nil {
			return err
		}
	}
	w, err := c.WatchProcesses(ctx, kernel.WatchOptions{Follow: true}, prefix+"*")
	if err != nil {
		return err
	}
	for {
		events, err := w.Read(ctx)
		if err != nil {
			return err
		}
		var ended []string
		for _, e := range events {
			tell(out, e)
			if e.Kind == kernel.Closed {
				ended = append(ended, e.Name)
			}
		}
		if err := w.Acknowledge(ctx); err != nil { // from here on it is told, and the names of those that ended are free
			return err
		}
		for _, name := range ended {
			if start[name] != nil {
				time.Sleep(pause)
				if err := start[name](); err != nil {
					return err
				}
			}
		}
	}
}

func tell(out io.Writer, e kernel.Event) {
	name, at := strings.TrimPrefix(e.Name, prefix), e.At.Format(time.TimeOnly)
	switch e.Kind {
	case kernel.Output:
		for line := range strings.Lines(string(e.Data)) {
			fmt.Fprintf(out, "%s %s: %s\n", at, name, strings.TrimSuffix(line, "\n"))
		}
	case kernel.Lost:
		fmt.Fprintf(out, "%s %s: %d bytes are lost\n", at, name, e.Count)
	case kernel.Closed:
		fmt.Fprintf(out, "%s %s: ended with %d\n", at, name, e.ExitCode)
	}
}
