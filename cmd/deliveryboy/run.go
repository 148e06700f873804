package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/transport"
)

// programRun is one run of the command run.
type programRun struct {
	*terminal
	via     specFlag
	timeout durationFlag
	deploy  deployFlag
	ask     askFlag
	file    string
	flags   processFlags
}

func init() { process.Register() } //nolint:gochecknoinits // before delivery.Main, in tests too

func newRun(t *terminal) *cobra.Command {
	r := &programRun{
		terminal: t,
		via:      specFlag{spec: transport.Spec{Via: transport.Self{}}, text: "self"},
		timeout:  durationFlag{most: maxTimeout},
	}
	cmd := &cobra.Command{
		Use:   "run [flags] [PROGRAM [ARGUMENT…]]",
		Short: "Run a program",
		Long: `run runs one program, there, with this command's stdin, stdout and stderr, and ends with
its exit status, or with 128 and the number of the signal that ended it. No shell is
involved, unless --shell is given.

When this command is told to end (SIGINT, SIGTERM, SIGHUP), or --timeout is over, the
program and its process group get SIGTERM, and after --grace they are killed, with all
that they started. When this command is killed, they are killed at once.

--config FILE reads what to run from a file in TOML, with the fields name, cmdline, argv,
program, shell, expand, env, inherit (under, over, none), user, group, groups, dir, umask,
limits, nice, grace and wait_delay; flags, and a PROGRAM, take precedence.

Programs are looked up there, in the PATH of the worker. Directory and umask are those of
the worker, / and 077, unless flags or the spec say otherwise. Put -- before a program whose
arguments begin with a dash.`,
		Example: `  deliveryboy run --via ssh=web1//sudo -- systemctl restart nginx
  deliveryboy run --via sudo --user www --limit nofile=64:128 -- id -a
  tar c src | deliveryboy run --via ssh=web1 -- tar x -C /tmp
  deliveryboy run --via sudo --config web.toml`,
		Args: cobra.ArbitraryArgs,
		RunE: r.run,
	}
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the program is the program's
	f.Var(&r.via, "via", "the `spec` of the way there, such as sudo=www, ssh=web1//sudo or via=TARGET//sudo")
	f.Var(&r.timeout, "timeout", "how long the program may take; no limit by default")
	f.StringVar(&r.file, "config", "", "a `file` in TOML that says what to run")
	r.flags.add(f)
	r.deploy.add(f)
	r.ask.add(f)
	r.completeSpecFlag(cmd, &r.via)
	return cmd
}

func (r *programRun) run(cmd *cobra.Command, words []string) error {
	cfg, err := r.config(words)
	if err != nil {
		return err
	}
	once := delivery.OnceFor(r.via.spec)
	if once.Deploy, err = r.deploy.options(r.via.spec); err != nil {
		return err
	}
	once.Ask = r.ask.provider()
	ctx, cancel := r.timeout.within(cmd.Context())
	defer cancel()
	via, done, err := r.via.way.through(ctx, once.Via, stopsWith(r.deploy, r.ask))
	defer done() //nolint:errcheck // what came of the program counts
	if err != nil {
		return r.timeout.late(ctx, err)
	}
	once.Via = via
	p, err := process.On(once).New(cfg, process.Stdio{Stdin: r.in, Stdout: r.out, Stderr: r.err})
	if err != nil {
		return err
	}
	if err := p.Start(ctx); err != nil {
		return r.timeout.late(ctx, err)
	}
	s, err := p.Wait(ctx)
	if ctx.Err() != nil {
		s, err = p.Stop(context.WithoutCancel(ctx))
		err = errors.Join(ctx.Err(), err)
	}
	if closed := p.Close(); err == nil {
		err = closed
	}
	if err == nil && !s.Success() {
		return &programError{&process.ExitError{State: &s, Name: p.Name()}}
	}
	return r.timeout.late(ctx, err)
}

// config is what to run: the file, and over it flags and words.
func (r *programRun) config(words []string) (process.Config, error) {
	var cfg process.Config
	if r.file != "" {
		var err error
		if cfg, err = readConfig(r.file); err != nil {
			return cfg, err
		}
	}
	if len(words) > 0 {
		cfg.Cmdline, cfg.Argv, cfg.Program = "", words, ""
		if r.flags.shell {
			cfg.Cmdline, cfg.Argv = words[0], words[1:]
		}
	}
	r.flags.set(&cfg)
	if cfg.Cmdline == "" && len(cfg.Argv) == 0 {
		return cfg, &usageError{what: "run", why: "no program given; write deliveryboy run PROGRAM, or give --config"}
	}
	if len(cfg.Outputs) > 0 || cfg.Input || len(cfg.Streams) > 0 {
		return cfg, &configFileError{r.file, errors.New("outputs, input and streams are for programs that use the library; leave them out")}
	}
	if err := cfg.Check(); err != nil {
		if r.file != "" {
			return cfg, &configFileError{r.file, err}
		}
		return cfg, &usageError{what: "run", why: strings.TrimPrefix(err.Error(), "process: ")}
	}
	return cfg, nil
}

// A programError is a program that failed. It has said itself why.
type programError struct{ err *process.ExitError }

func (e *programError) Error() string {
	return fmt.Sprintf("program %s: %s", quote(e.err.Name), e.err)
}
func (e *programError) Unwrap() error { return e.err }
