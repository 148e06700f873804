package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// A Cmd is a command that is run here or over a courier, with the fields and methods of an *exec.Cmd. It cannot be used again
// once it was started.
//
// What differs from os/exec: the process has a session of its own; over a courier, what is left of its process group ends
// with it; a kill, by Cancel too, ends everything that it started; and without Dir it is where the worker is, "/" unless the
// courier says otherwise.
type Cmd struct {
	// Path is the program; it may be relative to Dir. Over a courier, one without a slash is looked for on the far side when
	// the command is started; Path is then what was found there.
	Path string
	Args []string // argv, with the program's name first; empty: Path alone

	// Env are the variables, each "NAME=value", of equal names the last; nil: those of whoever starts it, see Environ. Empty
	// ones are left out, and others are refused.
	Env []string
	Dir string // empty: that of whoever starts it

	// Stdin, Stdout and Stderr are as in os/exec: nil is the null device. Over a courier they stay here, and what is
	// written to an *os.File is copied there.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// ExtraFiles are the descriptors 3, 4, … of the process. Over a courier they are refused.
	ExtraFiles []*os.File

	// Config has what os/exec has not: user, umask, limits, and so on. Of its words, variables and directory there must be
	// none: these are the fields above.
	Config Config

	Process      *Process // once started
	ProcessState *State   // once waited for

	// Err is why the program was not found, if that is known already; Start returns it.
	Err error

	// Cancel is called when the context of Command is done; nil kills the process. Only with a context.
	Cancel func() error

	// WaitDelay bounds how long Wait waits when the context is done, for the process to end, and when the process has
	// ended, for its outputs; then it is killed, and they are closed. 0: without bound.
	WaitDelay time.Duration

	ctx     context.Context //nolint:containedctx // as in os/exec
	courier box.Courier
	started atomic.Bool
	pipes   []io.Closer // the caller's ends, closed by Wait
	ends    []io.Closer // the process's ends, closed when it has its own; over a courier, when it has ended
	work    sync.WaitGroup
	watched chan error // what came of the context's end; nil if nobody watches it
}

// Command returns a command that is run over a courier; nil is here. Without a slash, the name is looked for in PATH: here
// at once, elsewhere when it is started. The context may not be nil; when it is done the command is cancelled.
func Command(ctx context.Context, c box.Courier, name string, args ...string) *Cmd {
	if ctx == nil {
		panic("process: nil Context")
	}
	cmd := &Cmd{Path: name, Args: append([]string{name}, args...), ctx: ctx, courier: c}
	if c == nil && filepath.Base(name) == name {
		if path, err := exec.LookPath(name); err != nil {
			cmd.Err = err
			if path != "" {
				cmd.Path = path
			}
		} else {
			cmd.Path = path
		}
	}
	return cmd
}

// String is for people: the path, and the arguments.
func (c *Cmd) String() string {
	if c.Err != nil {
		return strings.Join(c.Args, " ")
	}
	words := append([]string{c.Path}, c.Args[min(1, len(c.Args)):]...)
	return strings.Join(words, " ")
}

// Environ is the environment that the command would be run with. Over a courier it asks the far side, unless Env is set;
// an error of that is in Err then.
func (c *Cmd) Environ() []string {
	env := c.Env
	if env == nil {
		var err error
		if env, err = On(c.courier).Environ(c.context()); err != nil && c.Err == nil {
			c.Err = err
		}
		if dir, ok := c.pwd(); ok {
			env = append(env, "PWD="+dir)
		}
	}
	var out []string
	for _, entry := range env {
		name, value, ok := strings.Cut(entry, "=")
		if ok && name != "" {
			out = set(out, name, value)
		}
	}
	return out
}

// pwd is the absolute path of Dir.
func (c *Cmd) pwd() (string, bool) {
	switch {
	case c.Dir == "":
		return "", false
	case c.courier != nil:
		return c.Dir, filepath.IsAbs(c.Dir)
	}
	dir, err := filepath.Abs(c.Dir)
	return dir, err == nil
}

func (c *Cmd) context() context.Context {
	if c.ctx == nil {
		return context.Background()
	}
	return c.ctx
}

// config makes one of the fields.
func (c *Cmd) config() (Config, error) {
	cfg := c.Config
	if cfg.Cmdline != "" || len(cfg.Argv) > 0 || cfg.Shell || cfg.Expand || cfg.Env != nil || cfg.Inherit != "" || cfg.Dir != "" ||
		cfg.WaitDelay != 0 || cfg.Input || len(cfg.Outputs) > 0 {
		return cfg, cfg.wrong("config", "words, variables, directory, outputs and wait delay of a command are fields of the Cmd")
	}
	cfg.Argv = c.Args
	if len(cfg.Argv) == 0 {
		cfg.Argv = []string{c.Path}
	}
	cfg.Program, cfg.Dir, cfg.WaitDelay = c.Path, c.Dir, Duration(c.WaitDelay)
	if c.courier == nil && !strings.Contains(c.Path, "/") {
		cfg.Program = "./" + c.Path // it was looked for already
	}
	if c.Env == nil {
		return cfg, nil
	}
	cfg.Inherit, cfg.Env = None, map[string]string{}
	for _, entry := range c.Env {
		name, value, ok := strings.Cut(entry, "=")
		switch {
		case entry == "":
			continue
		case !ok || name == "":
			return cfg, cfg.wrong("env", fmt.Sprintf("%.80q: it is no NAME=value", entry))
		}
		cfg.Env[name] = value // newProcess checks both
	}
	return cfg, nil
}

// Start starts the command. Wait has to be called when it has been started.
func (c *Cmd) Start() error {
	if c.started.Swap(true) {
		return errors.New("process: already started")
	}
	err := c.start()
	if err != nil {
		closeEach(c.pipes)
	}
	if err != nil || c.courier == nil {
		closeEach(c.ends)
	} else if ends := c.ends; len(ends) > 0 {
		c.work.Go(func() { // the outputs are at their end when the process is
			<-c.Process.Done()
			closeEach(ends)
		})
	}
	return err
}

func closeEach(cs []io.Closer) {
	for _, c := range cs {
		c.Close()
	}
}

func (c *Cmd) start() error {
	ctx := c.context()
	switch {
	case c.Path == "" && c.Err == nil:
		return errors.New("process: no command")
	case c.Err != nil:
		return c.Err
	case c.Cancel != nil && c.ctx == nil:
		return errors.New("process: a command with a Cancel, but without a context: make it with Command")
	case ctx.Err() != nil:
		return ctx.Err()
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	p, err := On(c.courier).New(cfg, Stdio{c.Stdin, c.Stdout, c.Stderr, c.ExtraFiles})
	if err != nil {
		return err
	}
	if err := p.Start(ctx); err != nil {
		return err
	}
	c.Process = p
	if c.courier != nil {
		c.Path = p.Path()
	}
	if ctx.Done() != nil {
		c.watched = make(chan error, 1)
		c.work.Go(func() { c.watch(ctx) })
	}
	return nil
}

// watch cancels the command when the context is done, and kills it if that is of no use.
func (c *Cmd) watch(ctx context.Context) {
	select {
	case <-c.Process.Done():
		c.watched <- nil
		return
	case <-ctx.Done():
	}
	late := context.WithoutCancel(ctx)
	cancel := c.Cancel
	if cancel == nil {
		cancel = func() error { return c.Process.Kill(late) }
	}
	err := cancel()
	switch {
	case err == nil:
		err = ctx.Err()
	case errors.Is(err, os.ErrProcessDone):
		err = nil
	default:
		err = fmt.Errorf("process: cancel of %q: %w", c.Process.Name(), err)
	}
	if c.WaitDelay > 0 {
		t := time.NewTimer(c.WaitDelay)
		select {
		case <-c.Process.Done():
		case <-t.C:
			_ = c.Process.Kill(late)
		}
		t.Stop()
	}
	c.watched <- err
}

// Wait waits for a command that was started, and for what is copied to and from it. A command that does not exit with 0
// gives an *[ExitError]; one that does although it was cancelled, the error of the context, or of Cancel.
func (c *Cmd) Wait() error {
	switch {
	case c.Process == nil:
		return errors.New("process: not started")
	case c.ProcessState != nil:
		return errors.New("process: Wait was already called")
	}
	<-c.Process.Done()
	s, err := c.Process.state, c.Process.err
	c.ProcessState = &s
	if s.known() {
		copied := err
		err = s.check(c.Process.Name())
		if err == nil {
			err = copied
		}
	}
	if c.watched != nil {
		if cancelled := <-c.watched; cancelled != nil && s.Success() {
			err = cancelled
		}
	}
	closeEach(c.pipes)
	_ = c.Process.Close()
	c.work.Wait()
	return err
}

// Run starts the command and waits for it.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}
