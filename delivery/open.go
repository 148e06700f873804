package delivery

import (
	"context"
	"io"
	"strconv"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Open starts a worker behind via that serves many calls, until Close:
//
//	web, err := delivery.Open(ctx, transport.Chain{transport.SSH{Host: "web1"}, transport.Sudo{}})
//	if err != nil {
//		return err
//	}
//	defer web.Close()
//	version, err := install.On(web)(ctx, "nginx")
//
// The context is for the opening alone. There may be options; via counts, not the one in them.
func Open(ctx context.Context, via transport.Transport, options ...session.Options) (*session.Session, error) {
	var o session.Options
	if len(options) > 0 {
		o = options[0]
	}
	o.Via = via
	return session.Open(ctx, o)
}

// SessionFor returns the options of a session that a spec describes: its transport, or a fresh copy of this process if it
// names none, and its settings.
func SessionFor(s transport.Spec) session.Options {
	o := session.Options{Via: s.Via, Program: s.Binary, Dir: s.Dir, Env: s.Env, Nice: s.Nice, Umask: umaskOf(s)}
	if o.Via == nil {
		o.Via = transport.Self{}
	}
	return o
}

// umaskOf is the umask of a spec as Once and sessions have it: 0 for the default, -1 for 0.
func umaskOf(s transport.Spec) int {
	mask, err := strconv.ParseInt(s.Umask, 8, 32)
	switch {
	case err != nil:
		return 0
	case mask == 0:
		return -1
	}
	return int(mask)
}

// Stdout is where a function prints so that it reaches the caller of this very call, also when others run in the same
// worker; os.Stdout reaches the caller too, but while several calls run, nobody knows whose it is. In the caller it is
// the writer of [box.WithOutput], or os.Stdout.
func Stdout(ctx context.Context) io.Writer { return box.Stdout(ctx) }

// Stderr is the like of [Stdout] for errors.
func Stderr(ctx context.Context) io.Writer { return box.Stderr(ctx) }
