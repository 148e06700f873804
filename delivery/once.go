package delivery

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
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

	// Deploy brings this program to a far side that does not have it, or has another build. Program must be empty then.
	Deploy deploy.Options

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

	// Ask answers when sudo, ssh, su or doas asks for a password; see session.Options, and package password for what there is
	// ready-made. Nil: a hop that needs a password fails at once. Each call may ask anew.
	Ask password.Ask

	Patience time.Duration // how long the far side may take to answer the handshake; 0: 1 minute
	MaxReply int64         // bytes that a reply may have; 0: 256 MiB
	Text     bool          // never leave the text form, which survives terminals; by default the handshake finds out
	AnyBuild bool          // let another build of this program serve, if it has the same functions with the same types
	Repanic  bool          // a panic of the function is a panic here, with a *box.PanicError, instead of an error
}

// OnceFor returns the courier that a spec describes: its transport, or a fresh copy of this process if it names none,
// and its settings.
func OnceFor(s transport.Spec) Once {
	o := Once{Via: s.Via, Program: s.Binary, Dir: s.Dir, Env: s.Env, Nice: s.Nice, Umask: umaskOf(s)}
	if o.Via == nil {
		o.Via = transport.Self{}
	}
	return o
}

// Deliver starts a worker, hands it the box, and returns its reply when the worker has ended.
//
// When ctx is done, the function's context ends too. If the function then does not return within the grace, the worker
// ends itself and everything that it started; the error is a *box.DeliveryError around the context's, whose Fate says
// what became of the function. A reader among the results keeps the worker until it is closed or read to its end.
func (o Once) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	if o.Via == nil {
		return o.here(ctx, b)
	}
	return session.Once(ctx, o.options(), b)
}

func (o Once) options() session.Options {
	return session.Options{
		Via: o.Via, Program: o.Program, Deploy: o.Deploy, Only: o.Only, Dir: o.Dir, Env: o.Env, Umask: o.Umask, Nice: o.Nice, Grace: o.Grace,
		Stdout: o.Stdout, Stderr: o.Stderr, KeepExcess: o.KeepExcess, Ask: o.Ask, Patience: o.Patience, MaxReply: o.MaxReply,
		Text: o.Text, AnyBuild: o.AnyBuild, Repanic: o.Repanic,
	}
}

func (o Once) failed(b *box.Box, op string, err error) error {
	return box.NewDeliveryError(box.DeliveryError{Op: op, Func: b.Func, Err: err})
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
	channels, err := throughLoop(ctx, entry, &mine)
	if err != nil {
		return nil, o.failed(b, "pack", err)
	}
	r := box.Execute(ctx, entry, &mine)
	channels.close(ctx)
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
		{"Program", o.Program != ""}, {"Deploy", o.Deploy.On}, {"Dir", o.Dir != ""}, {"Env", len(o.Env) > 0}, {"Umask", o.Umask != 0},
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
