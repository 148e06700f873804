package plugin

import (
	"context"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// dialOptions are how go-plugin's host connects: through whoever knows the way, and with limits where it has none.
func dialOptions(to interface {
	dial(ctx context.Context, addr string) (net.Conn, error)
	bounded(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error
}) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(to.dial), grpc.WithChainUnaryInterceptor(to.bounded), grpc.WithChainStreamInterceptor(withoutStdio),
	}
}

// stdioMethod is go-plugin's stream of what plugins print.
const stdioMethod = "/plugin.GRPCStdio/StreamStdio"

// withoutStdio keeps go-plugin from asking for what plugins print: a session brings it in its own way, and a detached
// plugin has a log. It would ask without a limit, as the first thing, and leave the connection behind if that failed.
func withoutStdio(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
	if method == stdioMethod {
		return silent{ctx}, nil
	}
	return open(ctx, desc, cc, method, o...)
}

// silent is a stream on which nothing comes until its context ends.
type silent struct{ ctx context.Context }

func (s silent) Header() (metadata.MD, error) { return nil, nil }
func (s silent) Trailer() metadata.MD         { return nil }
func (s silent) CloseSend() error             { return nil }
func (s silent) Context() context.Context     { return s.ctx }
func (s silent) SendMsg(any) error            { return nil }
func (s silent) RecvMsg(any) error {
	<-s.ctx.Done()
	return status.FromContextError(s.ctx.Err()).Err()
}
