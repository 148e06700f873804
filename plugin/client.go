package plugin

import (
	"context"
	"fmt"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/session"
)

// A Client is a worker that serves a set of plugins, and functions beside them. It is a courier, and safe for concurrent
// use. When the worker is lost, its plugins are: open the set again.
type Client struct {
	remote *remote
	plugin *goplugin.Client
	rpc    *goplugin.GRPCClient
}

// start opens the session and go-plugin's connection on it.
func (c *Client) start(ctx context.Context) error {
	if _, err := c.plugin.Start(); err != nil {
		return err
	}
	protocol, err := c.plugin.Client()
	if err != nil {
		return err
	}
	rpc, ok := protocol.(*goplugin.GRPCClient)
	if !ok {
		return fmt.Errorf("go-plugin made a %T of a gRPC connection", protocol)
	}
	c.rpc = rpc
	return c.Ping(ctx)
}

// Session is the session below: for its Status, Info, Signal and pipelines. Closing it ends the plugins as well.
func (c *Client) Session() *session.Session { return c.remote.session }

// Deliver runs a function in the process of the plugins.
func (c *Client) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	return c.remote.session.Deliver(ctx, b)
}

// GoPlugin is go-plugin's client, for what is not here. Its Kill is bounded too. Its ReattachConfig is of no use, since
// there is no socket.
func (c *Client) GoPlugin() *goplugin.Client { return c.plugin }

// Version is the protocol version that both sides agreed on.
func (c *Client) Version() int { return c.plugin.NegotiatedVersion() }

// Dispense returns what a plugin of the set gives to its host. See also the function [Dispense].
func (c *Client) Dispense(name string) (any, error) { return c.rpc.Dispense(name) }

// Ping asks the plugins' server whether it is well.
func (c *Client) Ping(ctx context.Context) error { return ping(ctx, c.rpc) }

// Done is closed when the worker has ended.
func (c *Client) Done() <-chan struct{} { return c.remote.over }

// Err is why the worker was lost: what a plugin panicked with, for instance. It is nil while the worker runs, and when it
// was closed.
func (c *Client) Err() error { return c.remote.lost() }

// Close shuts the plugins down and ends their worker, and what they started. Its error, if there is one, says what it
// took: a *session.CloseError is in it. It is bounded: by Options.Shutdown, and by what Close of a session may take.
func (c *Client) Close() error { return c.CloseContext(context.Background()) }

// CloseContext closes the client; when ctx is done, each further step comes at once.
func (c *Client) CloseContext(ctx context.Context) error {
	stop := context.AfterFunc(ctx, c.remote.hurry)
	defer stop()
	c.plugin.Kill() // go-plugin's request to shut down goes through remote.bounded, which ends the session
	return c.remote.close()
}

// String says who serves, for logs.
func (c *Client) String() string {
	return fmt.Sprintf("plugins %q over %s", c.remote.set, c.remote.session)
}

// A Dispenser gives out plugins by name: a [Client], an [Attached].
type Dispenser interface {
	Dispense(name string) (any, error)
}

// Dispense returns a plugin of a set as the type that it has.
func Dispense[T any](from Dispenser, name string) (T, error) {
	raw, err := from.Dispense(name)
	p, ok := raw.(T)
	if err == nil && !ok {
		err = fmt.Errorf("plugin: dispense %q: it is a %T", name, raw)
	}
	return p, err
}

// ping makes go-plugin's health check, but one that ends with its context.
func ping(ctx context.Context, c *goplugin.GRPCClient) error {
	health := grpc_health_v1.NewHealthClient(c.Conn)
	reply, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: goplugin.GRPCServiceName})
	if ctx.Err() != nil {
		err = ctx.Err() // gRPC's own is none that errors.Is finds
	}
	if err == nil && reply.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		err = fmt.Errorf("it is %s", reply.GetStatus())
	}
	if err != nil {
		return fmt.Errorf("plugin: ping: %w", err)
	}
	return nil
}
