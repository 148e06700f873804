package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
	_ "github.com/seed354a1416/deliveryboy/kernel/server" // this program can be a kernel
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// kernelProcessRows are processes of a kernel: started by callers over one connection each, while a consumer hears how they
// end and acknowledges that.
func kernelProcessRows() []row {
	return []row{{id: "R14", name: "kernel: /bin/true and its exit code", unit: perSecond, rounds: 15, spread: true, set: kernelProcesses}}
}

// makers is how many ask for processes at once.
const makers = 4

func kernelProcesses(*stage.Stage) (*race, error) {
	ctx := context.Background()
	options, done, err := ownKernel(ctx)
	if err != nil {
		return nil, err
	}
	var clients [makers]*kernel.Client
	for i := range clients {
		if clients[i], err = kernel.Open(ctx, options); err != nil {
			done()
			return nil, err
		}
	}
	w, err := clients[0].WatchProcesses(ctx, kernel.WatchOptions{Follow: true}, "true.*")
	if err != nil {
		done()
		return nil, err
	}
	var serial atomic.Int64
	ours := func() (float64, error) {
		start := time.Now()
		err := madeAndHeard(ctx, clients[:], w, &serial, commandsPerSample)
		return float64(commandsPerSample) / time.Since(start).Seconds(), err
	}
	return &race{
		ours: ours,
		done: func() {
			for _, c := range clients {
				_ = c.Close()
			}
			done()
		},
		rivals: []rival{{name: "vfork, exec, wait", goal: goal{AtLeast: 0.7}, run: rate(spawnTrue, commandsPerSample, atATime)}},
	}, nil
}

// madeAndHeard has n processes made, and returns when the exit code of each has come.
func madeAndHeard(ctx context.Context, clients []*kernel.Client, w *kernel.Watcher, serial *atomic.Int64, n int) error {
	var work sync.WaitGroup
	errs := make([]error, len(clients)+1)
	work.Go(func() {
		for heard := 0; heard < n; {
			events, err := w.Read(ctx)
			if err != nil {
				errs[len(clients)] = err
				return
			}
			for _, e := range events {
				if e.Kind != kernel.Closed || e.ExitCode != 0 || !e.Known {
					errs[len(clients)] = fmt.Errorf("%s of %s: %d", e.Kind, e.Name, e.ExitCode)
					return
				}
				heard++
			}
		}
		errs[len(clients)] = w.Acknowledge(ctx)
	})
	for i, c := range clients {
		work.Go(func() {
			for k := i; k < n; k += len(clients) {
				name := "true." + strconv.FormatInt(serial.Add(1), 10)
				if _, err := c.MakeProcess(ctx, name, kernel.ProcessSpec{Args: []string{"/bin/true"}}); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// ownKernel starts a kernel of this program in a directory of its own.
func ownKernel(ctx context.Context) (o kernel.Options, done func(), err error) {
	dir, err := os.MkdirTemp("", "bench-kernel")
	if err != nil {
		return o, nil, err
	}
	set := kernel.Settings{Socket: filepath.Join(dir, "run", "k.sock"), State: filepath.Join(dir, "state")}
	o.Socket = set.Socket
	done = func() {
		os.RemoveAll(dir)
	}
	if err := kernel.Start(ctx, set); err != nil {
		done()
		return o, nil, err
	}
	c, err := kernel.Open(ctx, o)
	if err != nil {
		done()
		return o, nil, err
	}
	defer func() { _ = c.Close() }()
	facts, err := c.Status(ctx)
	holder, wrong := strconv.Atoi(facts["holder"])
	done = func() {
		if wrong == nil {
			_ = syscall.Kill(holder, syscall.SIGTERM)
			for syscall.Kill(holder, 0) == nil { // it is no child of this process, which was started by it all the same
				time.Sleep(time.Millisecond)
			}
		}
		os.RemoveAll(dir)
	}
	return o, done, errors.Join(err, wrong)
}
