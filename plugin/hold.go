package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
)

// A StopError says what it took to end a detached plugin that did not end when it was asked to.
type StopError struct {
	Steps []string // what was done, in order
	Gone  bool     // its process has ended
	Err   error    // why it could not be killed; nil if it could
}

func (e *StopError) Error() string {
	text := "plugin: stop: it did not end when it was asked to: " + strings.Join(e.Steps, ", then ")
	if !e.Gone {
		text += "; it still runs"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *StopError) Unwrap() error { return e.Err }

// A holder is a detached plugin as go-plugin's attached runner. It knows the process by a pidfd: one of another user is
// not dead because it may not be signalled, and a number that is another's by now is never signalled.
type holder struct {
	record   Record
	grip     grip
	log      hclog.Logger
	shutdown time.Duration

	hurried context.Context // over when what is left of the end has to be quick
	hurry   context.CancelFunc
	left    chan struct{} // closed when go-plugin shall not wait any more
	letGo   sync.Once

	mu      sync.Mutex // guards what follows
	leaving bool       // the plugin stays
	failure *StopError
}

// hold finds the process of a record.
func hold(ctx context.Context, r Record, o *AttachOptions) (h *holder, err error) {
	if o.Shutdown < 0 {
		return nil, fmt.Errorf("field Shutdown %s: it must not be negative", o.Shutdown)
	}
	h = &holder{record: r, shutdown: o.Shutdown, left: make(chan struct{})}
	if h.shutdown == 0 {
		h.shutdown = defaultShutdown
	}
	if o.Over != nil {
		h.grip, err = holdAfar(ctx, o.Over, r)
	} else {
		h.grip, err = reachable(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	handler := o.Log
	if handler == nil {
		handler = slog.Default().Handler()
	}
	h.log = newLogger(handler)
	h.hurried, h.hurry = context.WithCancel(context.Background())
	return h, nil
}

// reachable finds the process of a record on this machine, and connects once to see what is wrong, if something is: gRPC
// would tell it as text.
func reachable(ctx context.Context, r Record) (grip, error) {
	g, err := holdOwn(r)
	if err != nil {
		return nil, err
	}
	c, err := g.dial(ctx)
	if err != nil {
		g.close()
		return nil, err
	}
	return g, c.Close()
}

// dial is how gRPC connects.
func (h *holder) dial(ctx context.Context, _ string) (net.Conn, error) { return h.grip.dial(ctx) }

// leave has go-plugin close its connection without ending the plugin.
func (h *holder) leave() {
	h.mu.Lock()
	h.leaving = true
	h.mu.Unlock()
	h.letGo.Do(func() { close(h.left) })
}

func (h *holder) isLeaving() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leaving
}

// bounded is in the way of all requests. That to shut down is not sent when the plugin is to stay, and has a limit when it
// is to end; one that is over the limit is the last.
func (h *holder) bounded(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
	if method != shutdownMethod {
		return invoke(ctx, method, req, reply, cc, o...)
	}
	if h.isLeaving() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.shutdown)
	defer cancel()
	stop := context.AfterFunc(h.hurried, cancel)
	defer stop()
	err := invoke(ctx, method, req, reply, cc, o...)
	if ctx.Err() != nil {
		_ = h.Kill(ctx)
	}
	return err
}

// Wait returns when the process has ended, or is left, or lost.
func (h *holder) Wait(context.Context) error {
	select {
	case <-h.grip.over():
	case <-h.grip.lost():
	case <-h.left:
	}
	return nil
}

// finally is how long a killed process may take to end.
const finally = 2 * time.Second

// Kill kills the process, unless it is to stay. If it cannot be killed, go-plugin shall not wait for it for ever.
func (h *holder) Kill(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leaving || h.failure != nil {
		return nil
	}
	select {
	case <-h.grip.over():
		return nil
	default:
	}
	h.failure = &StopError{Steps: []string{"sent SIGKILL"}}
	err := h.grip.kill()
	if err != nil {
		h.failure.Steps[0] = "could not send SIGKILL"
		h.failure.Err = err
	} else {
		t := time.NewTimer(finally)
		defer t.Stop()
		select {
		case <-h.grip.over():
			h.failure.Gone = true
		case <-t.C:
			err = errors.New("plugin: it was killed, and does not end")
		}
	}
	if !h.failure.Gone {
		h.letGo.Do(func() { close(h.left) })
	}
	return err
}

// stopped is what the end took, nil if the request to shut down was enough.
func (h *holder) stopped() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure == nil {
		return nil
	}
	return h.failure
}

// ID is the process's number.
func (h *holder) ID() string { return strconv.Itoa(h.record.PID) }

// PluginToHost passes on the addresses of a broker, which are of use only where both sides are on one machine.
func (h *holder) PluginToHost(network, addr string) (string, string, error) {
	if _, here := h.grip.(*own); here {
		return network, addr, nil
	}
	return "", "", fmt.Errorf("%w (%s %s)", ErrNoBroker, network, addr)
}

// HostToPlugin does the same the other way.
func (h *holder) HostToPlugin(network, addr string) (string, string, error) {
	return h.PluginToHost(network, addr)
}
