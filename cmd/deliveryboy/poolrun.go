package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/process"
)

// poolRun is one run of the command pool run.
type poolRun struct {
	*terminal
	socket, user string
	shell, stdin bool
	raw          bool
	dir          dirFlag
	env          envFlag
	timeout      durationFlag
}

func newPoolRun(t *terminal) *cobra.Command {
	r := &poolRun{terminal: t, timeout: durationFlag{most: maxTimeout}}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [WORD…]",
		Short: "Run a command in a pool",
		Long: `run has the server of "deliveryboy pool serve" run a command, writes what it writes to
stdout and stderr as it comes, and ends with its exit status; with 128 and the number of
the signal that ended it. Its words are the command's, as they are; with --shell there is
one, which is a line for /bin/sh.

The command has the server's user and environment, and is in / unless --dir says
otherwise. When run ends, it does.`,
		Example: `  deliveryboy pool run -- ls -al
  deliveryboy pool run --shell 'ls | wc -l'
  tar c . | deliveryboy pool run --stdin -- tar x -C /srv/copy`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return &usageError{what: "run", why: "no command given; write deliveryboy pool run -- ls -al"}
			case r.shell && len(args) > 1:
				return &usageError{what: "flag --shell", why: "it takes one word, the line; put quotes around it"}
			}
			return nil
		},
		RunE: r.run,
	}
	f := cmd.Flags()
	f.StringVar(&r.socket, "socket", "", "where the server listens, an absolute `path` (default as for serve)")
	f.StringVar(&r.user, "user", "", "the `user` whose server may be there besides this one's and root's, a name or #uid")
	f.BoolVar(&r.shell, "shell", false, "the command is a line for /bin/sh")
	f.BoolVar(&r.stdin, "stdin", false, "the command reads this command's stdin; else it has none")
	f.BoolVar(&r.raw, "raw", false, "write text as it is, control characters included")
	f.Var(&r.dir, "dir", "the directory there, an absolute `path` (default /)")
	f.Var(&r.env, "env", "a `NAME=VALUE` for the environment there; may be given many times")
	f.Var(&r.timeout, "timeout", "how long it may take; no limit by default")
	return cmd
}

func (r *poolRun) run(cmd *cobra.Command, words []string) error {
	if r.socket == "" {
		r.socket = poolSocket()
	}
	ctx, cancel := r.timeout.within(cmd.Context())
	defer cancel()
	c, err := pool.DialVia(ctx, pool.Socket{Path: r.socket, User: r.user})
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // the command has ended, or the server is gone
	return r.timeout.late(ctx, r.over(ctx, c, words))
}

// over runs the command over a connection.
func (r *poolRun) over(ctx context.Context, c *pool.Client, words []string) error {
	out, flushOut := passOn(r.out, r.raw)
	errs, flushErr := passOn(r.err, r.raw)
	streams := process.Stdio{Stdout: hideFile{out}, Stderr: hideFile{errs}}
	if r.stdin {
		streams.Stdin = r.in
	}
	p, err := process.On(c).Start(ctx, r.config(words), streams)
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // its end is known
	state, err := p.Wait(ctx)
	if err == nil {
		err = errors.Join(flushOut(), flushErr())
	}
	switch {
	case err != nil:
		return err
	case !state.Exited():
		n, err := process.ParseSignal(state.Signal)
		if err != nil {
			n = syscall.SIGKILL
		}
		return &commandStatus{exitSignal + int(n)}
	case state.Code != 0:
		return &commandStatus{state.Code}
	}
	return nil
}

func (r *poolRun) config(words []string) process.Config {
	cfg := process.Config{Argv: words, Dir: r.dir.path}
	if r.shell {
		cfg.Cmdline, cfg.Argv, cfg.Shell = words[0], nil, true
	}
	for _, entry := range r.env.entries {
		name, value, _ := strings.Cut(entry, "=")
		if cfg.Env == nil {
			cfg.Env = map[string]string{}
		}
		cfg.Env[name] = value
	}
	return cfg
}

// A hideFile is a writer that is no file to whoever looks.
type hideFile struct{ io.Writer }
