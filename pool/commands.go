package pool

import (
	"context"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/process"
)

// Commands runs commands over a courier: a client's session, a pool, or a session of one. The program has to have called
// [Register].
type Commands struct{ courier box.Courier }

// On returns what runs commands over a courier.
func On(c box.Courier) Commands { return Commands{c} }

// Commands runs commands in the pool's workers.
func (p *Pool) Commands() Commands { return Commands{p} }

// Commands runs commands in the session's worker.
func (s *Session) Commands() Commands { return Commands{s} }

// Run runs a program with its arguments to its end, and returns what it wrote and how it ended. That a command failed is no
// error: see Output.Code. The error says that it was not run, or not to its end. What it left in its process group ends
// with it. It is the fastest way: one call there and back.
func (c Commands) Run(ctx context.Context, argv ...string) (Output, error) {
	return c.RunOrder(ctx, Order{Argv: argv})
}

// Shell runs a line in /bin/sh, as Run does. What is in the line is the shell's: quotes, variables, pipes.
func (c Commands) Shell(ctx context.Context, line string) (Output, error) {
	return c.RunOrder(ctx, Order{Shell: line})
}

// RunOrder is Run with all that can be told.
func (c Commands) RunOrder(ctx context.Context, o Order) (Output, error) {
	f, ok := far()
	if !ok {
		return Output{Code: -1}, ErrNotRegistered
	}
	out, err := f.run.On(c.courier)(ctx, o)
	if err != nil && out.Signal == "" {
		out.Code = -1
	}
	return out, err
}

// Command returns a command with the fields and methods of an *exec.Cmd; see process.Command.
func (c Commands) Command(ctx context.Context, name string, args ...string) *process.Cmd {
	return process.Command(ctx, c.courier, name, args...)
}

// Start starts a program, with pipes to and from it, and returns a handle.
func (c Commands) Start(ctx context.Context, argv ...string) (*Handle, error) {
	return c.StartConfig(ctx, process.Config{Argv: argv})
}

// StartConfig is Start with all that can be told. Its Input and Outputs are the handle's.
func (c Commands) StartConfig(ctx context.Context, cfg process.Config) (*Handle, error) {
	h := &Handle{Stdout: newSpool(), Stderr: newSpool(), ended: make(chan struct{})}
	cfg.Input, cfg.Outputs = true, nil
	var err error
	h.process, err = process.On(c.courier).Start(ctx, cfg, process.Stdio{Stdout: h.Stdout, Stderr: h.Stderr})
	if err != nil {
		return nil, err
	}
	if h.Stdin, err = h.process.Stdin(); err != nil {
		_ = h.process.Close()
		return nil, err
	}
	go h.await()
	return h, nil
}
