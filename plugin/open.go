package plugin

import (
	"context"
	"fmt"
	"slices"
	"time"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Options are how a set is opened. The zero value of every field is its default.
type Options struct {
	// Session is the session below. Via is the parameter of Open, and counts. The connection of go-plugin is a call that
	// lasts as long as the session, so MaxCalls, Idle and Lifetime could do nothing, and are refused. If Only narrows the
	// worker, deliveryboy.plugin.handshake and deliveryboy.plugin.connect are added to it, in this order, if they are missing.
	//
	// What plugins write to stderr goes to the log, as go-plugin does it: lines of hclog with their own level, others at
	// debug level. It also goes to Stderr if that is set. Log gets the records of go-plugin too, each with its logger's
	// name as attribute "logger".
	Session session.Options

	// Expect is what this side takes the set for: its cookie, its versions, its plugins. Zero: what it provides itself
	// under that name.
	Expect Set

	// Shutdown is how long the plugins may take to answer go-plugin's request to shut down; then they are not asked any
	// further. 0: 2s.
	Shutdown time.Duration
}

const defaultShutdown = 2 * time.Second

// connections is how many connections of go-plugin there may be at once: one that breaks, and the one in its place.
const connections = 2

// Open starts a worker behind via that serves a set, and has go-plugin manage it. The context is for the opening alone.
// There may be options.
//
// The error is a *box.DeliveryError where the worker could not be reached, and go-plugin's own where the set does not
// match: another version, for instance. Nothing is left running then.
func Open(ctx context.Context, via transport.Transport, name string, options ...Options) (*Client, error) {
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	expect, err := expected(name, o.Expect)
	if err != nil {
		return nil, err
	}
	if err := o.prepare(via); err != nil {
		return nil, fmt.Errorf("plugin: open %q: %w", name, err)
	}
	r := newRemote(name, &o)
	r.open = func() (*session.Session, error) { return session.Open(ctx, o.Session) }
	r.greet = func(s *session.Session, q question) (answer, error) { return shake(ctx, s, q) }
	return r.manage(ctx, expect)
}

// prepare makes the options of a session that can carry go-plugin.
func (o *Options) prepare(via transport.Transport) error {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"MaxCalls", o.Session.MaxCalls != 0}, {"Idle", o.Session.Idle != 0}, {"Lifetime", o.Session.Lifetime != 0},
	} {
		if f.set {
			return fmt.Errorf("field Session.%s: go-plugin's connection is a call that lasts as long as the session; leave it zero", f.name)
		}
	}
	if o.Shutdown < 0 {
		return fmt.Errorf("field Shutdown %s: it must not be negative", o.Shutdown)
	}
	if o.Shutdown == 0 {
		o.Shutdown = defaultShutdown
	}
	o.Session.Via = via
	if o.Session.Concurrent > 0 {
		o.Session.Concurrent += connections
	}
	if len(o.Session.Only) > 0 {
		for _, own := range []string{handshake.Name(), connect.Name()} {
			if !slices.Contains(o.Session.Only, own) {
				o.Session.Only = append(slices.Clip(o.Session.Only), own)
			}
		}
	}
	return nil
}

// manage gives the worker into the hands of go-plugin.
func (r *remote) manage(ctx context.Context, expect Set) (*Client, error) {
	c := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  expect.Handshake,
		VersionedPlugins: expect.versions(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		SkipHostEnv:      true,
		Logger:           r.log,
		RunnerFunc:       r.runner,
		GRPCDialOptions:  dialOptions(r),
	})
	client := &Client{remote: r, plugin: c}
	err := client.start(ctx)
	if err == nil {
		return client, nil
	}
	if why := r.why(); why != nil {
		err = why // as it is, not as go-plugin or gRPC tells it
	}
	_ = client.CloseContext(done)
	return nil, fmt.Errorf("plugin: open %q: %w", r.set, err)
}

// done is a context that is over.
var done = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
