package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/seed354a1416/deliveryboy/box"
)

// AttachOptions are how a detached plugin is attached to. The zero value of every field is its default.
type AttachOptions struct {
	// Expect is what this side takes the set for. Zero: what it provides itself under the name in the record.
	Expect Set

	// Over reaches the plugin where it is: on another host, or as the user that it belongs to. Best a session, since each
	// connection is a call, and so is waiting for its end. Nil: the plugin is on this machine, and in reach.
	Over box.Courier

	// Log gets the records of go-plugin. Nil: the handler of slog.Default.
	Log slog.Handler

	// Shutdown is how long the plugin may take to answer go-plugin's request to shut down; then it is killed. 0: 2s.
	Shutdown time.Duration
}

// An Attached is a connection with a detached plugin. It is safe for concurrent use.
type Attached struct {
	holder *holder
	plugin *goplugin.Client
	rpc    *goplugin.GRPCClient
}

// Reattach connects with the plugin of a record. The record is not trusted: the process must have its
// number and its start, the very same process must listen at the address, and it must say that it has the record's id.
// If one of these fails, nobody is signalled; the error is [ErrGone] if the plugin is no more.
func Reattach(ctx context.Context, r Record, options ...AttachOptions) (*Attached, error) {
	a, err := reattach(ctx, r, options)
	if err != nil {
		return nil, fmt.Errorf("plugin: reattach: %s: %w", &r, err)
	}
	return a, nil
}

func reattach(ctx context.Context, r Record, options []AttachOptions) (*Attached, error) {
	var o AttachOptions
	if len(options) > 0 {
		o = options[0]
	}
	expect, err := expected(r.Set, o.Expect)
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	plugins, ok := expect.versions()[r.Version]
	if !ok {
		return nil, fmt.Errorf("version %d: this side has no such version", r.Version)
	}
	h, err := hold(ctx, r, &o)
	if err != nil {
		return nil, err
	}
	c := r.ReattachConfig()
	c.ReattachFunc = func() (runner.AttachedRunner, error) { return h, nil }
	a := &Attached{holder: h, plugin: goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: expect.Handshake, Plugins: plugins, Reattach: c, Logger: h.log,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		GRPCDialOptions:  dialOptions(h),
	})}
	if err := a.start(ctx); err != nil {
		if why := h.grip.why(); why != nil {
			err = why
		}
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

// start connects, and asks who is there.
func (a *Attached) start(ctx context.Context) error {
	protocol, err := a.plugin.Client()
	if err != nil {
		return err
	}
	rpc, ok := protocol.(*goplugin.GRPCClient)
	if !ok {
		return fmt.Errorf("go-plugin made a %T of a gRPC connection", protocol)
	}
	a.rpc = rpc
	ctx, cancel := context.WithTimeout(ctx, attachPatience)
	defer cancel()
	is, err := identify(ctx, rpc.Conn)
	if err != nil {
		return err
	}
	if is != a.holder.record {
		return fmt.Errorf("%w: at its address is another one: %s, id %.64q", ErrGone, &is, is.ID)
	}
	return nil
}

// attachPatience is how long a plugin may take to say who it is, if the context has no shorter limit.
const attachPatience = 10 * time.Second

// Record is the plugin's record, with its PID.
func (a *Attached) Record() Record { return a.holder.record }

// GoPlugin is go-plugin's client, for what is not here. Its Kill ends the plugin, and is bounded.
func (a *Attached) GoPlugin() *goplugin.Client { return a.plugin }

// Dispense returns what a plugin of the set gives to its host. See also the function [Dispense].
func (a *Attached) Dispense(name string) (any, error) { return a.rpc.Dispense(name) }

// Ping asks the plugin's server whether it is well.
func (a *Attached) Ping(ctx context.Context) error { return ping(ctx, a.rpc) }

// Done is closed when the plugin's process has ended. After Close, or when the courier is lost, nobody looks.
func (a *Attached) Done() <-chan struct{} { return a.holder.grip.over() }

// Close lets go of the plugin, which stays.
func (a *Attached) Close() error {
	a.holder.leave()
	a.holder.hurry()
	a.plugin.Kill() // go-plugin's way to close a connection; what it would end has been left
	a.holder.grip.close()
	return nil
}

// Stop ends the plugin: go-plugin's request to shut down, and if there is no answer in time, or when ctx is done, SIGKILL
// to this very process. The error is a *[StopError] if it took more than the request. To stop again is harmless.
func (a *Attached) Stop(ctx context.Context) error {
	if a.holder.isLeaving() {
		return errors.New("plugin: stop: it was let go by Close; attach to it again")
	}
	stop := context.AfterFunc(ctx, a.holder.hurry)
	defer stop()
	a.plugin.Kill()
	err := a.holder.stopped()
	a.holder.grip.close()
	return err
}
