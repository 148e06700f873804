package plugin

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc"
)

// shutdownMethod is go-plugin's request to shut down.
const shutdownMethod = "/plugin.GRPCController/Shutdown"

// dial makes a connection to the plugins' server: one end is gRPC's, the other is an argument of a call that lasts as
// long as the connection.
func (r *remote) dial(context.Context, string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return nil, fmt.Errorf("plugin: %q: the worker has ended; open the set again", r.set)
	}
	near, far := net.Pipe()
	r.conns.Go(func() {
		err := connect.On(r.session)(context.Background(), r.agreed.Life, r.set, r.agreed.Version, far)
		r.broke(err)
		_ = far.Close()
	})
	return near, nil
}

// broke keeps why a connection has ended, if it did not just end: that call was there when the worker was lost.
func (r *remote) broke(err error) {
	if err == nil {
		return
	}
	r.log.Debug("the connection has ended", "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cause = err
}

// bounded is in the way of all requests to the plugins. go-plugin's request to shut down has no limit of its own, and a
// worker does not end for it: when it is answered, or is not in time, the session is closed.
func (r *remote) bounded(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
	if method != shutdownMethod {
		return invoke(ctx, method, req, reply, cc, o...)
	}
	ctx, cancel := context.WithTimeout(ctx, r.shutdown)
	defer cancel()
	stop := context.AfterFunc(r.hurried, cancel)
	defer stop()
	err := invoke(ctx, method, req, reply, cc, o...)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r.log.Warn("the plugins did not answer the request to shut down", "within", r.shutdown)
		r.hurry()
	}
	_ = r.close() // CloseContext tells
	return err
}
