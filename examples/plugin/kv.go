package main

import (
	"context"
	"sync"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What is in this file is what go-plugin's documentation asks of any plugin that speaks gRPC, and knows nothing of
// transports. Only the code that protoc would generate is written by hand, with messages that come with protobuf.

type goPlugin = goplugin.Plugin

var handshake = goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "KV_PLUGIN", MagicCookieValue: "hello"}

// A Store keeps values by key.
type Store interface {
	Put(ctx context.Context, key, value string) error
	Get(ctx context.Context, key string) (string, error)
}

// memory is a store.
type memory struct {
	mu     sync.Mutex // guards what follows
	values map[string]string
}

func newMemory() *memory { return &memory{values: map[string]string{}} }

func (m *memory) Put(_ context.Context, key, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = value
	return nil
}

func (m *memory) Get(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[key]
	if !ok {
		return "", status.Errorf(codes.NotFound, "no key %q", key)
	}
	return v, nil
}

// kvPlugin is a store as a plugin.
type kvPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	store Store
}

func (p *kvPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&service, p.store)
	return nil
}

func (p *kvPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return &client{c}, nil
}

// client is the host's side.
type client struct{ conn *grpc.ClientConn }

func (c *client) Put(ctx context.Context, key, value string) error {
	pair := &structpb.Struct{Fields: map[string]*structpb.Value{"key": structpb.NewStringValue(key), "value": structpb.NewStringValue(value)}}
	return c.conn.Invoke(ctx, "/kv.Store/Put", pair, new(emptypb.Empty))
}

func (c *client) Get(ctx context.Context, key string) (string, error) {
	var v wrapperspb.StringValue
	err := c.conn.Invoke(ctx, "/kv.Store/Get", wrapperspb.String(key), &v)
	return v.GetValue(), err
}

// service is the plugin's side.
var service = grpc.ServiceDesc{
	ServiceName: "kv.Store", HandlerType: (*Store)(nil),
	Methods: []grpc.MethodDesc{
		method("Put", func(ctx context.Context, s Store, pair *structpb.Struct) (any, error) {
			f := pair.GetFields()
			return new(emptypb.Empty), s.Put(ctx, f["key"].GetStringValue(), f["value"].GetStringValue())
		}),
		method("Get", func(ctx context.Context, s Store, key *wrapperspb.StringValue) (any, error) {
			v, err := s.Get(ctx, key.GetValue())
			return wrapperspb.String(v), err
		}),
	},
}

func method[In any](name string, call func(context.Context, Store, *In) (any, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(s any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, err
		}
		return call(ctx, s.(Store), in)
	}}
}
