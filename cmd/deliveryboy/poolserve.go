package main

import (
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed354a1416/deliveryboy/internal/sdnotify"
	"github.com/seed354a1416/deliveryboy/pool"
)

// poolFlags are what serve is told, and what unit writes down.
type poolFlags struct {
	socket, rules    string
	size, tasks      int
	accepts          int64
	timeout, drain   time.Duration
	backlog, waiting int
	only             []string
}

func (p *poolFlags) add(f *pflag.FlagSet) {
	f.StringVar(&p.socket, "socket", "", "where to listen, an absolute `path` (default one in this user's runtime directory)")
	f.IntVar(&p.size, "pool-size", 10, "how many workers there are")
	f.Int64Var(&p.accepts, "max-accepts", 0, "end after so many clients; 0: never")
	f.IntVar(&p.tasks, "max-child-tasks", 100, "replace a worker after so many turns; -1: never")
	f.DurationVar(&p.timeout, "task-timeout", 0, "how long a command may take; 0: as long as it likes")
	f.IntVar(&p.backlog, "backlog", 0, "how many connections may wait to be taken; 0: as the system has it")
	f.IntVar(&p.waiting, "queue", 0, "how many commands may wait for a worker; 0: 1024; -1: none")
	f.DurationVar(&p.drain, "drain", 10*time.Second, "how long commands may go on when serve is to end")
	f.StringVar(&p.rules, "rules", "", "a `file` that says what others than this user and root may run")
	f.StringSliceVar(&p.only, "only", nil, "the `names` of the functions that are offered, with commas (default all)")
}

func newPoolServe(t *terminal) *cobra.Command {
	var set poolFlags
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Keep workers ready for the commands of others",
		Long: `serve starts workers, and has them run what clients on its socket want: "deliveryboy pool
run", programs with the library, and "deliveryboy call --via socket=PATH". Its own user
and root may have anything done; others what the file of --rules says, one rule on a
line:

  user alice  command   /usr/bin/systemctl restart nginx
  group ops   command   /bin/ls ...
  user bob    function  host.facts

A command is allowed to the letter; "..." at its end stands for any more words. The file
has to be this user's or root's, and nobody else may be able to write to it. The socket
has mode 0600, in a directory of mode 0700 that is made if it is missing; with --rules
0666 and 0711.

All that a client has done at one time runs in one worker, and more clients than workers
wait for their turn. A worker that hangs, or has served so many turns, is replaced.

At SIGTERM or SIGINT serve takes no more clients and commands, waits for those that run
as long as --drain says, ends them, and ends with status 0. Started by systemd, it tells that
when it is ready.`,
		Example: `  deliveryboy pool serve --pool-size 4 --task-timeout 1m
  deliveryboy pool serve --socket /run/errands/pool.sock --rules /etc/errands.rules`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := set.options()
			if err != nil {
				return err
			}
			o.Log = slog.New(slog.NewTextHandler(t.err, nil))
			manager := sdnotify.Take()
			o.Ready = func() {
				if err := manager.Tell("READY=1"); err != nil {
					o.Log.Error(err.Error())
				}
			}
			title("pool master")
			return pool.Serve(cmd.Context(), o)
		},
	}
	set.add(cmd.Flags())
	return cmd
}

func (p *poolFlags) check() error {
	switch {
	case p.size < 1:
		return &usageError{what: "flag --pool-size", why: "there must be one worker at least"}
	case p.tasks == 0 || p.tasks < -1:
		return &usageError{what: "flag --max-child-tasks", why: "it must be 1 or more, or -1"}
	case p.drain < 0 || p.timeout < 0:
		return &usageError{what: "flags --drain and --task-timeout", why: "a time must not be negative"}
	}
	return nil
}

func (p *poolFlags) options() (o pool.ServeOptions, err error) {
	if err := p.check(); err != nil {
		return o, err
	}
	o.Socket, o.Backlog, o.MaxAccepts, o.Only = p.socket, p.backlog, p.accepts, p.only
	if o.Socket == "" {
		o.Socket = poolSocket()
	}
	o.Pool = pool.Options{
		Size: p.size, Min: p.size, MaxTasksPerWorker: p.tasks, TaskTimeout: p.timeout, Queue: p.waiting, Drain: p.drain,
	}
	if p.drain == 0 {
		o.Pool.Drain = -1
	}
	if p.rules != "" {
		o.Rules, err = pool.ReadRules(p.rules)
	}
	return o, err
}
