package plugin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// A keeper serves a detached plugin with go-plugin's own server.
type keeper struct {
	order    order
	identity identity
	cancel   context.CancelFunc
	served   chan struct{} // closed when go-plugin's server has ended
}

// begin starts the server and returns the record of this process.
func (k *keeper) begin() (Record, error) {
	set, version, _, err := k.order.Question.agree()
	if err != nil {
		return Record{}, err
	}
	log, err := divert(k.order.Dir, k.order.Log)
	if err != nil {
		return Record{}, fmt.Errorf("log: %w", err)
	}
	if err := k.environment(version); err != nil {
		return Record{}, err
	}
	var ctx context.Context
	ctx, k.cancel = signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	first := &firstLines{}
	where := make(chan *goplugin.ReattachConfig, 1)
	k.served = make(chan struct{})
	go goplugin.Serve(&goplugin.ServeConfig{ // ends with this process, or before it
		HandshakeConfig: set.Handshake, VersionedPlugins: set.versions(), GRPCServer: k.server(set.server()),
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: io.MultiWriter(os.Stderr, first), JSONFormat: true}),
		Test:   &goplugin.ServeTestConfig{Context: ctx, ReattachConfigCh: where, CloseCh: k.served},
	})
	select {
	case c := <-where:
		return k.recorded(c, log)
	case <-k.served:
		return Record{}, errors.New("go-plugin's server did not start; it logged: " + first.String())
	}
}

// environment sets what go-plugin's server reads: one version, and a directory for its socket and for those of brokers. What
// a starter that is a plugin itself has inherited from its own host is not for this one.
func (k *keeper) environment(version int) error {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "PLUGIN_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	return errors.Join(os.Setenv(goplugin.EnvUnixSocketDir, k.order.Dir), os.Setenv(envVersions, strconv.Itoa(version)))
}

// wait returns when the server has ended.
func (k *keeper) wait() { <-k.served }

// recorded makes the record of this process.
func (k *keeper) recorded(c *goplugin.ReattachConfig, log string) (Record, error) {
	r := Record{
		Set: k.order.Question.Set, ID: rand.Text(), Protocol: string(c.Protocol), Version: c.ProtocolVersion,
		Network: c.Addr.Network(), Address: c.Addr.String(), PID: os.Getpid(), UID: os.Getuid(), Log: log,
	}
	var err, failed error
	r.Started, err = startOf(r.PID)
	r.Boot, failed = bootOf()
	r.Host, _ = os.Hostname()
	k.identity.record.Store(&r)
	return r, errors.Join(err, failed)
}

// server adds to the plugins' server what this package needs of it.
func (k *keeper) server(make func([]grpc.ServerOption) *grpc.Server) func([]grpc.ServerOption) *grpc.Server {
	return func(o []grpc.ServerOption) *grpc.Server {
		o = append(o, grpc.ConnectionTimeout(silence))
		if k.order.Idle > 0 {
			o = append(o, grpc.StatsHandler(newIdler(k.order.Idle, k.cancel)))
		}
		s := make(o)
		s.RegisterService(&identityService, &k.identity)
		return s
	}
}

// silence is how long a connection may say nothing at first. The end of the server waits for such ones.
const silence = 5 * time.Second

// firstLines keeps the first of what go-plugin's server logs: why it did not start.
type firstLines struct {
	mu   sync.Mutex
	text []byte
}

// Write takes in a record.
func (f *firstLines) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, p[:min(len(p), maxReport/16-len(f.text))]...)
	return len(p), nil
}

func (f *firstLines) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return string(f.text)
}

// An idler ends the server when it has had no connection for a while.
type idler struct {
	after time.Duration
	timer *time.Timer

	mu    sync.Mutex // guards what follows
	conns int
}

func newIdler(after time.Duration, end func()) *idler {
	return &idler{after: after, timer: time.AfterFunc(after, end)}
}

// HandleConn counts connections.
func (i *idler) HandleConn(_ context.Context, s stats.ConnStats) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch s.(type) {
	case *stats.ConnBegin:
		i.conns++
		i.timer.Stop()
	case *stats.ConnEnd:
		if i.conns--; i.conns == 0 {
			i.timer.Reset(i.after)
		}
	}
}

// TagConn does nothing: connections need no mark.
func (i *idler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// TagRPC does nothing.
func (i *idler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC does nothing.
func (i *idler) HandleRPC(context.Context, stats.RPCStats) {}
