package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// An identity is the service by which a detached plugin says who it is: a socket's path and a process's number may be
// another's by the time that somebody comes back to them.
type identity struct{ record atomic.Pointer[Record] }

const (
	identityName   = "deliveryboy.plugin.Identity"
	identityMethod = "/" + identityName + "/Get"
)

var identityService = grpc.ServiceDesc{
	ServiceName: identityName, HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Get", Handler: func(srv any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		if err := decode(new(emptypb.Empty)); err != nil {
			return nil, err
		}
		return srv.(*identity).get()
	}}},
}

func (i *identity) get() (*wrapperspb.StringValue, error) {
	r := i.record.Load()
	if r == nil {
		return nil, status.Error(codes.Unavailable, "it is about to start")
	}
	text, err := json.Marshal(r)
	return wrapperspb.String(string(text)), err
}

// identify asks a plugin who it is.
func identify(ctx context.Context, c *grpc.ClientConn) (Record, error) {
	var text wrapperspb.StringValue
	if err := c.Invoke(ctx, identityMethod, new(emptypb.Empty), &text); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // gRPC's own is none that errors.Is finds
		}
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal([]byte(text.GetValue()), &r); err != nil {
		return Record{}, fmt.Errorf("its answer is not a record: %w", err)
	}
	return r, nil
}
