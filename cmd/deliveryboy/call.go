package main

import (
	"context"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/argument"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/internal/spelling"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

const (
	maxTimeout = 365 * 24 * time.Hour
	maxGrace   = time.Minute
)

// call is one run of the command call.
type call struct {
	*terminal
	via        specFlag
	timeout    durationFlag
	grace      durationFlag
	dir        dirFlag
	env        envFlag
	umask      umaskFlag
	nice       niceFlag
	keepExcess bool
	json       bool
	raw        bool
	dryRun     bool
	deploy     deployFlag
	ask        askFlag
	detach     detachFlags
}

func newCall(t *terminal) *cobra.Command {
	c := &call{
		terminal: t,
		via:      specFlag{spec: transport.Spec{Via: transport.Self{}}, text: "self"},
		timeout:  durationFlag{most: maxTimeout},
		grace:    durationFlag{most: maxGrace},
	}
	cmd := &cobra.Command{
		Use:   "call [flags] NAME [ARGUMENT…]",
		Short: "Call a function",
		Long: `call runs one function in a fresh worker and shows what it returns.

Each argument is one JSON value of the parameter's type: "deliveryboy functions
NAME" shows it. A parameter that is a string takes the word as it is; only a word
that begins with a double quote is read as JSON. "-" stands for what comes on stdin,
@FILE for what is in a file, each at most 100 MiB. An argument at the end that is an
object may be left out, which is the same as {}. Put -- before arguments that begin
with a dash.

What the function writes arrives while it runs. On a terminal, control characters in
it, in results and in errors are shown by number, unless --raw is given. With --json,
stdout holds one JSON document and nothing else; the function's output goes to stderr.

With --detach the call becomes a job: it runs on when this command has ended, which it
does at once, with the job's identifier on stdout. See deliveryboy jobs.

Relative paths and programs are looked up on the far side, where the directory is /
unless --dir or chdir= says otherwise.`,
		Example: `  deliveryboy call user.lookup root
  deliveryboy call --via sudo file.write '{"path": "/etc/motd", "text": "hello\n"}'
  deliveryboy call --via sudo=www --timeout 30s command.run '{"argv": ["id"]}'
  deliveryboy call --via sudo --detach --name update command.run '{"argv": ["apt-get", "update"]}'
  deliveryboy call --json --via ssh=web1 host.facts | jq .results[0].kernel`,
		Args:              c.checkArgs,
		ValidArgsFunction: completeFunction,
		RunE:              c.run,
	}
	f := cmd.Flags()
	f.Var(&c.via, "via", "the `spec` of the way there, such as sudo=www, ssh=web1//sudo or via=TARGET//sudo")
	f.Var(&c.timeout, "timeout", "how long the call may take; no limit by default")
	f.Var(&c.grace, "grace", "how long a function may take to end when the call is cancelled (default 1s)")
	f.Var(&c.dir, "dir", "the directory there, an absolute `path` (default /)")
	f.Var(&c.env, "env", "a `NAME=VALUE` for the environment there; may be given many times")
	f.Var(&c.umask, "umask", "the umask there (default 077)")
	f.Var(&c.nice, "nice", "what to add to the priority there, -20 to 19")
	f.BoolVar(&c.keepExcess, "keep-excess", false, "also show what the transport prints, such as a banner")
	f.BoolVar(&c.json, "json", false, "write one JSON document to stdout")
	f.BoolVar(&c.raw, "raw", false, "write text as it is, control characters included")
	f.BoolVar(&c.dryRun, "dry-run", false, "show what would be run, and run nothing")
	c.deploy.add(f)
	c.ask.add(f)
	c.detach.add(f)
	c.completeSpecFlag(cmd, &c.via)
	return cmd
}

// checkArgs checks what needs no far side, before anything is done.
func (c *call) checkArgs(cmd *cobra.Command, args []string) error {
	switch {
	case c.json && c.raw:
		return &usageError{what: "flags --json and --raw", why: "they contradict each other; give one of them"}
	case c.dryRun && c.raw:
		return &usageError{what: "flags --dry-run and --raw", why: "a dry run has no result to write; give one of them"}
	case len(args) == 0:
		return &usageError{what: "call", why: "no function name given; deliveryboy functions lists them"}
	}
	entry, ok := registry.Lookup(args[0])
	if !ok {
		return unknownFunction(args[0])
	}
	return c.detach.check(cmd.Flags(), entry)
}

func unknownFunction(name string) error {
	e := &usageError{what: "function", value: quote(name), why: "there is none of this name; deliveryboy functions lists them"}
	if near := spelling.Near(name, functionNames(), 3); len(near) > 0 {
		e.why = "there is none of this name; did you mean " + strings.Join(near, ", ") + "?"
	}
	return e
}

func (c *call) run(cmd *cobra.Command, words []string) error {
	entry, _ := registry.Lookup(words[0])
	r := argument.Reader{Stdin: c.in, StdinTerminal: plain.IsTerminal(c.in)}
	args, err := r.Read(entry.Type(), parameters(entry.Type()), words[1:])
	if err != nil {
		return err
	}
	once, err := c.once()
	if err != nil {
		return err
	}
	if !c.dryRun {
		via, done, err := c.via.way.through(cmd.Context(), once.Via, stopsWith(c.deploy, c.ask))
		defer done() //nolint:errcheck // what came of the call counts
		if err != nil {
			return err
		}
		once.Via = via
	}
	if c.detach.on {
		return c.start(cmd.Context(), entry, args, once)
	}
	ctx, cancel := c.timeout.within(cmd.Context())
	defer cancel()
	if c.dryRun {
		return c.explain(ctx, entry, args, once)
	}
	return c.deliver(ctx, entry, args, once)
}

// once is the courier that spec and flags describe; a flag takes precedence over the spec.
func (c *call) once() (delivery.Once, error) {
	o := delivery.OnceFor(c.via.spec)
	var err error
	if o.Deploy, err = c.deploy.options(c.via.spec); err != nil {
		return o, err
	}
	o.Ask = c.ask.provider()
	o.Grace, o.KeepExcess = c.grace.value, c.keepExcess
	if c.dir.path != "" {
		o.Dir = c.dir.path
	}
	o.Env = mergeEnv(o.Env, c.env.entries)
	if c.nice.given {
		o.Nice = c.nice.value
	}
	if c.umask.given {
		o.Umask = c.umask.value
		if o.Umask == 0 {
			o.Umask = -1 // in a Once, 0 is the default
		}
	}
	return o, nil
}

// mergeEnv is base with more, which replaces entries of the same name.
func mergeEnv(base, more []string) []string {
	var merged []string
	for _, entry := range base {
		name, _, _ := strings.Cut(entry, "=")
		replaced := false
		for _, m := range more {
			replaced = replaced || strings.HasPrefix(m, name+"=")
		}
		if !replaced {
			merged = append(merged, entry)
		}
	}
	return append(merged, more...)
}

// deliver calls the function and shows what came of it.
func (c *call) deliver(ctx context.Context, entry *registry.Entry, args []reflect.Value, once delivery.Once) error {
	out := c.out
	if c.json {
		out = c.err
	}
	var flushOut, flushErr func() error
	once.Stdout, flushOut = passOn(out, c.raw)
	once.Stderr, flushErr = passOn(c.err, c.raw)
	w := &watcher{courier: once}
	results, failed := entry.Invoke(ctx, w, args)
	for _, flush := range []func() error{flushOut, flushErr} {
		if err := flush(); err != nil && failed == nil {
			failed = &outputError{err}
		}
	}
	if failed = c.timeout.late(ctx, failed); failed != nil && !returned(failed) {
		results = nil // they are zero: the function has returned none
	}
	o := outcome{function: entry.Name(), via: c.via.text, results: results, err: failed, run: w.run}
	if err := c.show(o); err != nil && failed == nil {
		return err
	}
	return failed
}

// returned reports whether a function came to its end and failed.
func returned(err error) bool {
	remote := remoteOf(err)
	return remote != nil && remote.Kind == box.Returned
}

// watcher is a courier that notes who ran the function.
type watcher struct {
	courier box.Courier
	run     box.Run
}

func (w *watcher) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	r, err := w.courier.Deliver(ctx, b)
	if err == nil {
		w.run = r.Run
	}
	return r, err
}

// parameters are the types of a function's parameters, without a leading context.
func parameters(fn reflect.Type) []reflect.Type {
	var types []reflect.Type
	for t := range fn.Ins() {
		if len(types) > 0 || t != reflect.TypeFor[context.Context]() {
			types = append(types, t)
		}
	}
	return types
}

// program is this program's file here.
func program() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", &usageError{what: "this program", why: "its file is not known", err: err}
	}
	return path, nil
}
