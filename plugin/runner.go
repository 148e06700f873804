package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/seed354a1416/deliveryboy/session"
)

// ErrNoBroker is what a GRPCBroker gives over a session or another courier: its connections need sockets that the other
// side can reach.
var ErrNoBroker = errors.New("plugin: no GRPCBroker here: it needs sockets that both sides can reach; use a detached plugin of this user on this machine")

// address is what stands for an address where there is none.
const address = "deliveryboy.session"

// A remote is a worker as go-plugin's runner: it is started by opening a session, and ended by closing it.
type remote struct {
	set      string
	shutdown time.Duration
	log      hclog.Logger
	open     func() (*session.Session, error)
	greet    func(*session.Session, question) (answer, error)

	session *session.Session
	agreed  answer // what the far side said
	env     []string
	dir     string // made by go-plugin for sockets
	failed  error  // why it did not start

	stderr *lines
	over   chan struct{} // closed when the worker has ended
	watch  sync.WaitGroup

	hurried context.Context // over when what is left of the end has to be quick
	hurry   context.CancelFunc
	once    sync.Once
	ended   error // what the end took; valid after once

	mu    sync.Mutex // guards what follows
	shut  bool       // no more connections
	cause error      // of the end of the last connection
	conns sync.WaitGroup
}

func newRemote(set string, o *Options) *remote {
	h := o.Session.Log
	if h == nil {
		h = slog.Default().Handler()
	}
	r := &remote{set: set, shutdown: o.Shutdown, log: newLogger(h), over: make(chan struct{})}
	r.hurried, r.hurry = context.WithCancel(context.Background())
	r.stderr = newLines(o.Session.Stderr)
	o.Session.Stderr = r.stderr
	return r
}

// runner is called by go-plugin, with what it would put into the environment and a directory for sockets.
func (r *remote) runner(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
	r.env, r.dir = cmd.Env, dir
	return r, nil
}

// Start opens the session. How long that may take is up to the context of Open, and not to go-plugin's.
func (r *remote) Start(context.Context) error {
	s, err := r.open()
	if err != nil {
		r.failed = err
		return err
	}
	said, err := r.greet(s, question{Set: r.set, Env: r.env})
	if err != nil {
		_ = s.CloseContext(done)
		r.failed = err
		return err
	}
	r.session, r.agreed = s, said
	ended := s.Done()
	r.watch.Go(func() {
		<-ended
		r.mu.Lock()
		r.shut = true
		r.mu.Unlock()
		r.conns.Wait()
		r.stderr.end()
		close(r.over)
	})
	return nil
}

// close ends the session, once, and waits for what belonged to it here.
func (r *remote) close() error {
	r.once.Do(func() {
		if r.session != nil {
			r.ended = r.session.CloseContext(r.hurried)
			r.watch.Wait()
		}
		r.stderr.end()
		r.hurry()
		_ = os.RemoveAll(r.dir)
	})
	return r.ended
}

// Wait returns when the worker has ended, with why, if it was lost.
func (r *remote) Wait(context.Context) error {
	<-r.over
	return r.lost()
}

// lost is why the worker has ended, nil if it was closed, or runs. The connection's own call knows it best: what a plugin
// panicked with, for instance.
func (r *remote) lost() error {
	select {
	case <-r.over:
	default:
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause != nil && !errors.Is(r.cause, session.ErrClosed) {
		return r.cause
	}
	if err := r.session.Err(); !errors.Is(err, session.ErrClosed) {
		return err
	}
	return nil
}

// why is what the far side said when it could not be opened: in the session, in the handshake, or to the connection.
func (r *remote) why() error {
	if r.failed != nil {
		return r.failed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause
}

// Kill ends the session.
func (r *remote) Kill(context.Context) error { return r.close() }

// Stdout has go-plugin's handshake, and no more.
func (r *remote) Stdout() io.ReadCloser { return io.NopCloser(strings.NewReader(r.agreed.Line)) }

// Stderr has what the worker and its plugins write to stderr.
func (r *remote) Stderr() io.ReadCloser { return r.stderr.reader }

// Name is what the logs call it.
func (r *remote) Name() string { return r.set }

// ID is who serves; empty if nobody does.
func (r *remote) ID() string {
	if r.session == nil {
		return ""
	}
	return r.session.String()
}

// Diagnose has nothing to add: what went wrong is in the error of Start.
func (r *remote) Diagnose(context.Context) string { return "" }

// PluginToHost passes on the address of the handshake. All others are those of a broker.
func (r *remote) PluginToHost(network, addr string) (string, string, error) {
	if addr == address {
		return network, addr, nil
	}
	return "", "", fmt.Errorf("%w (%s %s)", ErrNoBroker, network, addr)
}

// HostToPlugin is for brokers only.
func (r *remote) HostToPlugin(network, addr string) (string, string, error) {
	return "", "", fmt.Errorf("%w (%s %s)", ErrNoBroker, network, addr)
}
