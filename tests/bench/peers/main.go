// Command bench-peers makes calls through hashicorp/go-plugin, for bench to set beside its own:
//
//	bench-peers "go-plugin gRPC" 128
//
// It starts itself as the plugin, and then takes lines on stdin: how many calls, and by how many callers, 0 for one after
// the other. Each is answered by a line: the median in microseconds, or, with callers, the calls in a second.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/rpc"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

var handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "BENCH_PEERS", MagicCookieValue: "shout"}

// shouter gives back what it gets.
type shouter interface {
	Back(data []byte) ([]byte, error)
}

type here struct{}

func (here) Back(data []byte) ([]byte, error) { return data, nil }

// The net/rpc form.

type rpcPlugin struct{}

func (rpcPlugin) Server(*plugin.MuxBroker) (any, error) { return &rpcServer{}, nil }
func (rpcPlugin) Client(_ *plugin.MuxBroker, c *rpc.Client) (any, error) {
	return rpcClient{c}, nil
}

type rpcServer struct{}

// Back is the method of net/rpc.
func (*rpcServer) Back(in []byte, out *[]byte) error {
	*out = in
	return nil
}

type rpcClient struct{ c *rpc.Client }

func (r rpcClient) Back(data []byte) (out []byte, err error) {
	err = r.c.Call("Plugin.Back", data, &out)
	return out, err
}

// The gRPC form: one method, described by hand.

const method = "/bench.Shout/Back"

var service = grpc.ServiceDesc{
	ServiceName: "bench.Shout", HandlerType: (*shouter)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Back", Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.BytesValue)
		return in, decode(in)
	}}},
}

type grpcPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&service, here{})
	return nil
}

func (grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return grpcClient{c}, nil
}

type grpcClient struct{ c *grpc.ClientConn }

func (g grpcClient) Back(data []byte) ([]byte, error) {
	out := new(wrapperspb.BytesValue)
	err := g.c.Invoke(context.Background(), method, wrapperspb.Bytes(data), out)
	return out.GetValue(), err
}

var forms = map[string]plugin.PluginSet{
	"go-plugin net/rpc": {"shout": rpcPlugin{}},
	"go-plugin gRPC":    {"shout": grpcPlugin{}},
}

const partVariable = "BENCH_PEERS_PART"

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench-peers: ")
	if part := os.Getenv(partVariable); part != "" {
		plugin.Serve(&plugin.ServeConfig{HandshakeConfig: handshake, Plugins: forms[part], GRPCServer: plugin.DefaultGRPCServer, Logger: quiet()})
		return
	}
	if len(os.Args) != 3 || forms[os.Args[1]] == nil {
		log.Fatal("usage: bench-peers PEER BYTES, with a peer such as \"go-plugin gRPC\"")
	}
	size, err := strconv.Atoi(os.Args[2])
	if err == nil {
		err = run(os.Args[1], size)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func quiet() hclog.Logger { return hclog.New(&hclog.LoggerOptions{Level: hclog.Off}) }

func run(part string, size int) error {
	cmd := exec.Command("/proc/self/exe") //nolint:noctx // Kill ends it
	cmd.Env = append(os.Environ(), partVariable+"="+part)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: handshake, Plugins: forms[part], Cmd: cmd, Logger: quiet(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolNetRPC, plugin.ProtocolGRPC},
	})
	defer client.Kill()
	protocol, err := client.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense("shout")
	if err != nil {
		return err
	}
	data, in := make([]byte, size), bufio.NewReader(os.Stdin)
	one := func() error {
		back, err := raw.(shouter).Back(data)
		if err == nil && len(back) != size {
			err = fmt.Errorf("%d bytes came back, not %d", len(back), size)
		}
		return err
	}
	for {
		var calls, callers int
		if _, err := fmt.Fscanln(in, &calls, &callers); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		value, err := sample(one, calls, callers)
		if err != nil {
			return err
		}
		fmt.Println(value)
	}
}

func sample(one func() error, calls, callers int) (float64, error) {
	if callers == 0 {
		times := make([]float64, calls)
		for i := range times {
			start := time.Now()
			if err := one(); err != nil {
				return 0, err
			}
			times[i] = float64(time.Since(start)) / float64(time.Microsecond)
		}
		slices.Sort(times)
		return times[len(times)/2], nil
	}
	errs := make([]error, callers)
	start := time.Now()
	var work sync.WaitGroup
	for i := range callers {
		work.Go(func() {
			for n := 0; n < calls/callers && errs[i] == nil; n++ {
				errs[i] = one()
			}
		})
	}
	work.Wait()
	return float64(calls/callers*callers) / time.Since(start).Seconds(), errors.Join(errs...)
}
