package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// commandsPerSample is how many commands one sample runs. Tests run fewer.
var commandsPerSample = 800

const (
	commandCallers = 8
	atATime        = 2 // of the floor: as many as the goals count CPUs
)

// poolRows are commands in the workers of a pool: of this program's own, and of a server on a unix socket, with a
// connection for each caller.
func poolRows() []row {
	return []row{
		{id: "R12", name: "/bin/true, pool, 8 callers", unit: perSecond, rounds: 15, spread: true, set: func(*stage.Stage) (*race, error) {
			p, err := pool.Open(context.Background(), pool.Options{
				Via: transport.Self{}, Size: commandCallers, Min: commandCallers, MaxTasksPerWorker: -1,
			})
			if err != nil {
				return nil, err
			}
			return commands([]pool.Commands{p.Commands()}, func() { _ = p.Close() }), nil
		}},
		{id: "R12", name: "/bin/true, server, 8 clients", unit: perSecond, rounds: 15, spread: true, set: served},
	}
}

// served is a server and its clients.
func served(*stage.Stage) (*race, error) {
	dir, err := os.MkdirTemp("", "bench-pool")
	if err != nil {
		return nil, err
	}
	var close closers
	close.add(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithCancel(context.Background())
	path, ended := filepath.Join(dir, "run", "pool.sock"), make(chan error, 1)
	go func() {
		quiet := slog.New(slog.DiscardHandler)
		ended <- pool.Serve(ctx, pool.ServeOptions{Socket: path, Log: quiet, Pool: pool.Options{Size: commandCallers, Log: quiet}})
	}()
	close.add(func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Fprintln(os.Stderr, "bench: the server of the pool:", err)
		}
	})
	var clients []pool.Commands
	for range commandCallers {
		c, err := dialSoon(ctx, path, ended)
		if err != nil {
			close.run()
			return nil, err
		}
		close.add(func() { _ = c.Close() })
		clients = append(clients, c.Commands)
	}
	return commands(clients, close.run), nil
}

// dialSoon connects to a server that is being started.
func dialSoon(ctx context.Context, path string, ended chan error) (*pool.Client, error) {
	for {
		c, err := pool.Dial(ctx, path)
		if err == nil || !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
			return c, err
		}
		select {
		case err := <-ended:
			ended <- err
			return nil, fmt.Errorf("the server has ended: %w", err)
		default:
			runtime.Gosched()
		}
	}
}

// commands races /bin/true, run by callers who take turns with what there is, against a loop that only starts it and waits.
func commands(over []pool.Commands, done func()) *race {
	next := make(chan pool.Commands, commandCallers)
	for i := range commandCallers {
		next <- over[i%len(over)]
	}
	ours := rate(func() error {
		c := <-next
		defer func() { next <- c }()
		out, err := c.Run(context.Background(), "/bin/true")
		if err == nil && out.Code != 0 {
			err = fmt.Errorf("/bin/true ended with %d", out.Code)
		}
		return err
	}, commandsPerSample, commandCallers)
	return &race{
		ours: ours, done: done,
		rivals: []rival{{name: "vfork, exec, wait", goal: goal{AtLeast: 0.8}, run: rate(spawnTrue, commandsPerSample, atATime)}},
	}
}

// spawnTrue is the least that a command can take: Go's ForkExec is a vfork.
func spawnTrue() error {
	pid, err := syscall.ForkExec("/bin/true", []string{"/bin/true"}, &syscall.ProcAttr{})
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	for {
		_, err = syscall.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil && status != 0 {
		err = fmt.Errorf("/bin/true: status %d", status)
	}
	return err
}
