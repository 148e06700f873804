package plugin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed354a1416/deliveryboy/plugin"
)

// A probe is a plugin whose one method does what its words say.
type probe interface {
	Do(ctx context.Context, verb, text string) (string, error)
}

// probePlugin is written as go-plugin's documentation teaches, but for the generated code.
type probePlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	impl probe
}

func (p probePlugin) GRPCServer(b *goplugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&probeService, &probeServer{impl: p.impl, broker: b})
	return nil
}

func (p probePlugin) GRPCClient(_ context.Context, b *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return &probeClient{conn: c, broker: b}, nil
}

var probeService = grpc.ServiceDesc{
	ServiceName: "test.Probe", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Do", Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var in wrapperspb.StringValue
		if err := decode(&in); err != nil {
			return nil, err
		}
		var words [2]string
		if err := json.Unmarshal([]byte(in.GetValue()), &words); err != nil {
			return nil, err
		}
		s := srv.(*probeServer)
		out, err := s.do(ctx, words[0], words[1])
		return wrapperspb.String(out), err
	}}},
}

type probeServer struct {
	impl   probe
	broker *goplugin.GRPCBroker
}

func (s *probeServer) do(ctx context.Context, verb, text string) (string, error) {
	switch verb {
	case "broker dial":
		_, err := s.broker.Dial(77)
		return "", err
	case "broker accept":
		l, err := s.broker.Accept(78)
		if err == nil {
			_ = l.Close()
		}
		return "", err
	}
	return s.impl.Do(ctx, verb, text)
}

type probeClient struct {
	conn   *grpc.ClientConn
	broker *goplugin.GRPCBroker
}

func (c *probeClient) Do(ctx context.Context, verb, text string) (string, error) {
	words, err := json.Marshal([2]string{verb, text})
	if err != nil {
		return "", err
	}
	var out wrapperspb.StringValue
	err = c.conn.Invoke(ctx, "/test.Probe/Do", wrapperspb.String(string(words)), &out)
	return out.GetValue(), err
}

// works is the real thing.
type works struct{ version int }

func (w works) Do(ctx context.Context, verb, text string) (string, error) {
	switch verb {
	case "echo":
		return text, nil
	case "version":
		return fmt.Sprint(w.version), nil
	case "who":
		return fmt.Sprint(os.Getuid(), " ", os.Getpid()), nil
	case "env":
		return os.Getenv(text), nil
	case "print":
		fmt.Println(text)
	case "complain":
		fmt.Fprintln(os.Stderr, text)
	case "log":
		hclog.New(&hclog.LoggerOptions{Name: "inner", JSONFormat: true, Level: hclog.Trace, Output: os.Stderr}).Warn(text, "key", "value")
	case "flood":
		line := fmt.Sprintf("%01023d\n", 0)
		for range 4096 { // 4 MiB on each
			_, _ = os.Stdout.WriteString(line)
			_, _ = os.Stderr.WriteString(line)
		}
	case "hang":
		<-ctx.Done()
		return "", ctx.Err()
	case "exit":
		os.Exit(3)
	case "panic":
		panic(text)
	case "sleep":
		d, _ := time.ParseDuration(text)
		time.Sleep(d)
	}
	return "", nil
}

var probeHandshake = goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "PROBE_PLUGIN", MagicCookieValue: "ee3a1d"}

func setOf(version int) goplugin.PluginSet {
	return goplugin.PluginSet{"probe": probePlugin{impl: works{version}}}
}

func init() {
	plugin.Provide("probe", plugin.Set{Handshake: probeHandshake, Plugins: setOf(1), Versions: map[int]goplugin.PluginSet{2: setOf(2), 4: setOf(4)}})
}
