package session

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Options are how a worker is reached, set up and used. The zero value of every field is its default; only Via is needed.
type Options struct {
	// Via starts the worker. transport.Self{} is a fresh process without a change of user.
	Via transport.Transport

	// Program is this program's file on the far side, an absolute path. Empty: where it is here.
	Program string

	// Deploy brings this program to a far side that does not have it, or has another build. Program must be empty then.
	Deploy deploy.Options

	// Only are the functions that the worker is narrowed to. They stand in its argv, where a sudoers rule can allow
	// exactly these. Empty: all that are registered.
	Only []string

	Dir   string        // the worker's directory, an absolute path; empty: "/"
	Env   []string      // "NAME=value", added to the worker's environment; names such as LD_PRELOAD or GODEBUG are refused
	Umask int           // the worker's umask; 0: 077; -1: 0
	Nice  int           // added to the worker's priority, -20 to 19; below 0 only root may
	Grace time.Duration // how long a cancelled function may take to return; 0: 1s; at most 1 minute

	// Stdout and Stderr get what functions write, while they run, byte for byte, and what the worker writes between
	// calls. Nil: those of this process. One write goes to a writer at a time; if both are the same, that holds for both.
	// A writer that blocks holds the function back; one that fails gets no more. A caller who has box.WithOutput in its
	// context has its own call's output there instead.
	Stdout, Stderr io.Writer

	// OutputLimit is how many bytes a call may write to each of stdout and stderr. What is over is dropped, and counted in
	// the reply. 0: no limit.
	OutputLimit int64

	// Log gets the records of log/slog that functions write through the default logger, with a group "deliveryboy" that
	// says where they are from. Nil: the handler of slog.Default.
	Log slog.Handler

	// KeepExcess also writes what the transport prints: a banner on Stdout as it comes, and at the end up to 64 KiB of what
	// came after the reply of [Once], and of stderr. By default it is dropped; the errors have it in any case.
	KeepExcess bool

	// Ask answers when sudo, ssh, su or doas, at any hop that [transport.CanAsk], asks for a password, the passphrase of a key
	// or a code. What they ask for is theirs: NOPASSWD, a valid ticket or a key without a passphrase, and nobody is asked. A
	// wrong answer is not tried again, and at most 16 questions are put on one way. A session keeps an answer, to dial again,
	// until Close. The time that Ask takes is not limited by Patience, but by the context alone. Nil: nobody is asked, and a
	// hop that needs a password fails at once. See package password for what there is ready-made.
	//
	// A hop behind others asks through a relay: one more copy of this program where that hop starts, as the user that it
	// starts as, while the worker is started; Deploy brings it there, too. Behind a hop that changes the user, the relay needs
	// a rule of its own, for "__ask": such a hop is let ask only after an attempt that failed for want of a password, but for
	// su, which cannot be tried without.
	//
	// su and doas are asked at a terminal that a copy of this program makes and sits at, for as long as they run; on Linux.
	Ask password.Ask

	Patience time.Duration // how long the far side may take to answer the handshake; 0: 1 minute
	MaxReply int64         // bytes that a reply may have; 0: 256 MiB
	Text     bool          // never leave the text form, which survives terminals; by default the handshake finds out
	AnyBuild bool          // let another build of this program serve, if it has the same functions with the same types
	Repanic  bool          // a panic of a function is a panic here, with a *box.PanicError, instead of an error

	Concurrent int           // calls that run at once; more wait on the far side; 0: no limit
	MaxCalls   int           // after so many calls the worker ends; 0: no limit
	Idle       time.Duration // after so long without a call the worker ends; 0: no limit
	Lifetime   time.Duration // after so long the worker ends, when the calls that run have ended; 0: no limit

	// Heartbeat is how often both sides show that they are there; one that is silent for eight of these counts as gone.
	// 0: 500ms if the far side is, or may be, on another machine, else never. Below 0: never.
	Heartbeat time.Duration

	answers *answers // what a session remembers to dial again; nil: nothing
}

const (
	defaultPatience  = time.Minute
	defaultGrace     = time.Second
	defaultHeartbeat = time.Second / 2
)

// check refuses what no worker would accept, before one is started.
func (o *Options) check() error {
	switch {
	case o.Umask < -1 || o.Umask > 0o777:
		return fmt.Errorf("field Umask %#o: it must be between 0 and 0777, or -1", o.Umask)
	case o.Nice < -20 || o.Nice > 19:
		return fmt.Errorf("field Nice %d: it must be between -20 and 19", o.Nice)
	case o.Grace < 0 || o.Grace > time.Minute:
		return fmt.Errorf("field Grace %s: it must be between 0 and 1m", o.Grace)
	case o.Heartbeat > 0 && o.Heartbeat < 10*time.Millisecond:
		return fmt.Errorf("field Heartbeat %s: it must be at least 10ms", o.Heartbeat)
	case o.Dir != "" && !path.IsAbs(o.Dir):
		return fmt.Errorf("field Dir %q: an absolute path is needed", cut(o.Dir))
	case o.Program != "" && !path.IsAbs(o.Program):
		return fmt.Errorf("field Program %q: an absolute path is needed", cut(o.Program))
	case o.Program != "" && o.Deploy.On:
		return fmt.Errorf("field Program %q: with Deploy, the program is where Deploy puts it", cut(o.Program))
	}
	if err := o.Deploy.Check(); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		value int64
		text  any
	}{
		{"Patience", int64(o.Patience), o.Patience}, {"MaxReply", o.MaxReply, o.MaxReply},
		{"OutputLimit", o.OutputLimit, o.OutputLimit}, {"Concurrent", int64(o.Concurrent), o.Concurrent},
		{"MaxCalls", int64(o.MaxCalls), o.MaxCalls}, {"Idle", int64(o.Idle), o.Idle},
		{"Lifetime", int64(o.Lifetime), o.Lifetime},
	} {
		if f.value < 0 {
			return fmt.Errorf("field %s %v: it must not be negative", f.name, f.text)
		}
	}
	return transport.CheckEnvironment(o.Env)
}

// argv is the worker's argv before any transport, narrowed to names if there are any.
func (o *Options) argv(names []string) ([]string, error) {
	program := o.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if err := registry.CheckName(name); err != nil {
			return nil, err
		}
	}
	return wire.Argv(program, names...), nil
}

// preamble is what the worker is told before anything else. A warm one serves many calls.
func (o *Options) preamble(warm, descriptors bool) *wire.Preamble {
	p := &wire.Preamble{
		Build: build.ID(), Registry: registry.Fingerprint(),
		Dir: o.Dir, Nice: o.Nice, Env: o.Env, Grace: o.Grace, MaxMessage: o.MaxReply,
		Heartbeat: o.heartbeat(), Descriptors: descriptors,
	}
	switch {
	case o.Umask > 0:
		p.Umask = &o.Umask
	case o.Umask == -1:
		p.Umask = new(int)
	}
	if o.Text || transport.TextOnly(o.Via) {
		p.Mode = wire.Text
	}
	if warm {
		p.Session, p.Concurrent, p.MaxCalls, p.Idle, p.Lifetime = true, o.Concurrent, o.MaxCalls, o.Idle, o.Lifetime
	}
	return p
}

func (o *Options) grace() time.Duration {
	if o.Grace > 0 {
		return o.Grace
	}
	return defaultGrace
}

func (o *Options) patience() time.Duration {
	if o.Patience > 0 {
		return o.Patience
	}
	return defaultPatience
}

func (o *Options) heartbeat() time.Duration {
	switch {
	case o.Heartbeat > 0:
		return o.Heartbeat
	case o.Heartbeat < 0 || transport.Local(o.Via):
		return 0
	}
	return defaultHeartbeat
}

const needsVia = "a session needs a process: set Via, to transport.Self{} for instance; delivery.Once{} runs functions in this one"

func cut(s string) string { return s[:min(len(s), 1024)] }
