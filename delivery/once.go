package delivery

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Once is a courier that starts a fresh worker for every call. The zero value runs functions in this process.
//
// It is a value: copy it, change a field, use both. Calls through it are independent of each other.
type Once struct {
	// Via starts the worker. Nil means this process: arguments and results are copied as on any way, and a panic or a
	// runtime.Goexit is caught, but there is no other process to apply the fields Dir to Stderr to; setting one of them
	// is an error. transport.Self{} is a fresh process without a change of user.
	Via transport.Transport

	// Program is this program's file on the far side, an absolute path. Empty: where it is here.
	Program string

	// Only are the functions that the worker is narrowed to. They stand in its argv, where a sudoers rule can allow
	// exactly these. Empty: the called function alone.
	Only []string

	Dir   string        // the worker's directory, an absolute path; empty: "/"
	Env   []string      // "NAME=value", added to the worker's environment; names such as LD_PRELOAD or GODEBUG are refused
	Umask int           // the worker's umask; 0: 077; -1: 0
	Nice  int           // added to the worker's priority, -20 to 19; below 0 only root may
	Grace time.Duration // how long a cancelled function may take to return; 0: 1s; at most 1 minute

	// Stdout and Stderr get what the function writes, while it runs, byte for byte. Nil: those of this process. A writer
	// that blocks holds the function back; one that fails gets no more.
	Stdout, Stderr io.Writer

	// KeepExcess also writes what the transport prints: on stdout around the function's own output, such as a banner,
	// and on stderr after it. By default it is dropped; the reply and the errors have it in any case.
	KeepExcess bool

	Patience time.Duration // how long the far side may take to answer the handshake; 0: 1 minute
	MaxReply int64         // bytes that a reply may have; 0: 256 MiB
	Text     bool          // never leave the text form, which survives terminals; by default the handshake finds out
	AnyBuild bool          // let another build of this program serve, if it has the same functions with the same types
	Repanic  bool          // a panic of the function is a panic here, with a *box.PanicError, instead of an error
}

// OnceFor returns the courier that a spec describes: its transport, or a fresh copy of this process if it names none,
// and its settings.
func OnceFor(s transport.Spec) Once {
	o := Once{Via: s.Via, Program: s.Binary, Dir: s.Dir, Env: s.Env, Nice: s.Nice}
	if o.Via == nil {
		o.Via = transport.Self{}
	}
	if mask, err := strconv.ParseInt(s.Umask, 8, 32); err == nil {
		if o.Umask = int(mask); mask == 0 {
			o.Umask = -1
		}
	}
	return o
}

const (
	defaultPatience = time.Minute
	defaultGrace    = time.Second
)

// Deliver starts a worker, hands it the box, and returns its reply when the worker has ended.
//
// When ctx is done, the function's context ends too. If the function then does not return within the grace, the worker
// ends itself and everything that it started; the error is a *box.DeliveryError around the context's, whose Fate says
// what became of the function.
func (o Once) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	if o.Via == nil {
		return o.here(ctx, b)
	}
	if !registry.Sealed() {
		return nil, o.failed(b, "start", &box.PackingError{Func: b.Func, Why: "delivery.Main was not called: make it the first line of main, or the copy of this program would run main instead of the function"})
	}
	if err := o.check(); err != nil {
		return nil, o.failed(b, "pack", &box.PackingError{Func: b.Func, Why: "bad courier", Err: err})
	}
	worker, err := o.worker(b)
	if err != nil {
		return nil, o.failed(b, "pack", &box.PackingError{Func: b.Func, Why: "bad call", Err: err})
	}
	argv, err := transport.Build(o.Via, worker)
	if err != nil {
		return nil, o.failed(b, "start", &box.TransportError{Hop: o.Via.String(), Argv: worker, ExitCode: -1, Err: err})
	}
	p, err := start(o.Via, argv)
	if err != nil {
		return nil, o.failed(b, "start", &box.TransportError{Hop: o.Via.String(), Argv: argv, ExitCode: -1, Err: err})
	}
	c := &call{once: o, box: b, worker: worker, argv: argv, process: p, oom: watchOOM()}
	return c.run(ctx)
}

// check refuses what no worker would accept, before one is started.
func (o Once) check() error {
	switch {
	case o.Umask < -1 || o.Umask > 0o777:
		return fmt.Errorf("field Umask %#o: it must be between 0 and 0777, or -1", o.Umask)
	case o.Nice < -20 || o.Nice > 19:
		return fmt.Errorf("field Nice %d: it must be between -20 and 19", o.Nice)
	case o.Grace < 0 || o.Grace > time.Minute:
		return fmt.Errorf("field Grace %s: it must be between 0 and 1m", o.Grace)
	case o.Patience < 0:
		return fmt.Errorf("field Patience %s: it must not be negative", o.Patience)
	case o.MaxReply < 0:
		return fmt.Errorf("field MaxReply %d: it must not be negative", o.MaxReply)
	case o.Dir != "" && !path.IsAbs(o.Dir):
		return fmt.Errorf("field Dir %q: an absolute path is needed", cut(o.Dir))
	case o.Program != "" && !path.IsAbs(o.Program):
		return fmt.Errorf("field Program %q: an absolute path is needed", cut(o.Program))
	}
	return transport.CheckEnvironment(o.Env)
}

// worker is the worker's argv, before any transport.
func (o Once) worker(b *box.Box) ([]string, error) {
	program := o.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	names := o.Only
	if len(names) == 0 {
		names = []string{b.Func}
	}
	for _, name := range names {
		if err := registry.CheckName(name); err != nil {
			return nil, err
		}
	}
	return WorkerArgv(program, names...), nil
}

// preamble is what the worker is told before anything else.
func (o Once) preamble() *channel.Preamble {
	p := &channel.Preamble{
		Build: buildID(), Registry: registry.Fingerprint(),
		Dir: o.Dir, Nice: o.Nice, Env: o.Env, Grace: o.Grace, MaxMessage: o.MaxReply,
	}
	switch {
	case o.Umask > 0:
		p.Umask = &o.Umask
	case o.Umask == -1:
		p.Umask = new(int)
	}
	if o.Text {
		p.Mode = channel.Text
	}
	return p
}

func (o Once) failed(b *box.Box, op string, err error) error {
	e := box.DeliveryError{Op: op, Func: b.Func, Err: err}
	if o.Via != nil {
		e.Via = o.Via.String()
	}
	return box.NewDeliveryError(e)
}

// here runs the function in this process.
func (o Once) here(ctx context.Context, b *box.Box) (*box.Reply, error) {
	if field := o.needsProcess(); field != "" {
		return nil, o.failed(b, "pack", &box.PackingError{Func: b.Func, Why: field + " needs a process of its own: set Via, to transport.Self{} for instance"})
	}
	entry, ok := registry.Lookup(b.Func)
	if !ok || len(o.Only) > 0 && !slices.Contains(o.Only, b.Func) {
		return nil, o.failed(b, "unpack", &box.PackingError{Func: b.Func, Why: "no such function"})
	}
	mine := *b
	mine.Args = b.Args.Clone()
	r := box.Execute(ctx, entry, &mine)
	r.Results = r.Results.Clone()
	r.Origin, r.Repanic = box.Origin{Func: b.Func}, o.Repanic
	return r, nil
}

// needsProcess names a field that is set and means nothing in this process.
func (o Once) needsProcess() string {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"Program", o.Program != ""}, {"Dir", o.Dir != ""}, {"Env", len(o.Env) > 0}, {"Umask", o.Umask != 0},
		{"Nice", o.Nice != 0}, {"Stdout", o.Stdout != nil}, {"Stderr", o.Stderr != nil},
	} {
		if f.set {
			return f.name
		}
	}
	return ""
}

// String is the courier in spec form, for logs.
func (o Once) String() string {
	if o.Via == nil {
		return "in this process"
	}
	return fmt.Sprintf("once via %s", o.Via)
}
