// Command deliveryboy calls functions as another user, on another host or in a namespace of its own.
//
// It comes with functions for administration, such as file.write and net.listeners; see deliveryboy functions. A program
// that has functions of its own uses the library in the same way as this command does.
//
//	deliveryboy call --via sudo file.read '{"path": "/etc/shadow"}'
//	deliveryboy call --via ssh=web1//sudo net.listeners
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/admin"
	"github.com/seed354a1416/deliveryboy/delivery"
)

func main() {
	delivery.Main()
	os.Exit(run(os.Args[1:]))
}

// run runs the command and returns its exit status.
func run(args []string) int {
	ctx, stop := interruptible(context.Background())
	defer stop()
	io := newTerminal(os.Stdin, os.Stdout, os.Stderr)
	root := newRoot(io)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	err = interrupted(ctx, io.classify(err))
	if s := (*commandStatus)(nil); errors.As(err, &s) {
		return s.code
	}
	io.report(err)
	return exitStatus(err)
}

// interruptible ends its context at the first signal that asks the program to end. The next one ends the program at once.
func interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup asks for that
			signal.Notify(signals, s)
		}
	}
	stop := func() {
		signal.Stop(signals)
		cancel(nil)
	}
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(&signalError{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}
