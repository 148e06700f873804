package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/hush"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// ServeOptions are what a server offers, to whom, and with how many workers. The zero value of every field is its default.
type ServeOptions struct {
	// Socket is where it listens, an absolute path; its directory is made, with mode 0700, if it is missing, and must not be
	// one in which others can replace files. Needed by [Serve], and by nobody else.
	Socket string

	// Backlog is how many connections may wait to be taken, before connecting waits; 0: as many as the system allows.
	Backlog int

	// Pool are the workers. Via is transport.Self{} if it is nil; Size is how many clients have something done at once, more
	// wait; MaxTasksPerWorker counts turns: what a client has done without a pause.
	Pool Options

	// Rules say what others may than the server's own user and root, who may all. None: nobody else may connect.
	Rules []Rule

	// Only are the functions that are offered, to anybody. Empty: all that are registered.
	Only []string

	MaxConnections int           // clients that are connected at once; more are told to come later; 0: 2048
	MaxPerUser     int           // of these, of one user who is neither the server's own nor root; 0: 64
	MaxAccepts     int64         // after so many clients the server ends; 0: never
	Patience       time.Duration // how long a client may take to say what it wants; 0: 10s

	// WriteTimeout is how long a client that speaks JSON may take nothing of what is said to it; then it loses its connection,
	// with its commands. It is a time, and not how many others want its place, because what waits for it is held here
	// meanwhile. 0: 10 minutes, which is for people at a pager.
	WriteTimeout time.Duration

	// MaxKeptPerUser is how many bytes of calls that wait, and of replies that were not read, are kept for one user who is
	// neither the server's own nor root, over all of that user's connections; MaxKept is the same for all of these users
	// together. A call over that is not begun, and a reply is dropped, with a *[KeptError] in its place. Besides there is what
	// comes just now, and for each of 64 calls of a user that run the windows of its streams. 0: 512 MiB, 2 GiB.
	MaxKeptPerUser, MaxKept int64

	// Ready, if not nil, is called when clients can connect and are served, by [Serve].
	Ready func()

	// Log gets a record for each client, what was refused, and what happens to workers. Of what was refused, and of clients
	// that did not end well, ten in a minute for each user, and of calls for each function besides, and then how many more
	// there were. Nil: slog.Default.
	Log *slog.Logger
}

const (
	defaultConnections  = 2048
	defaultPerUser      = 64
	defaultPatience     = 10 * time.Second
	defaultWriteTimeout = 10 * time.Minute
	defaultKeptPerUser  = 512 << 20
	defaultKept         = 2 << 30

	// Of what one user causes, so many lines of the log pass within that time.
	logLines = 10
	logSpan  = time.Minute
)

// A Peer is who is at the other end of a connection, as the system says it.
type Peer struct {
	UID    int
	Groups []int // the user's, by number
	PID    int   // 0 where it is not known
}

// A Server does for its clients what they want done, in the workers of one pool. Each client is on its own: a session, in
// which calls that run at the same time run in the same worker.
type Server struct {
	options ServeOptions
	pool    *Pool
	policy  policy
	over    chan struct{} // closed when clients have to end
	end     sync.Once
	ending  chan struct{} // closed when no more calls are taken
	ends    sync.Once
	work    sync.WaitGroup // clients
	hush    hush.Hush
	guests  debt // of all guests

	mu    sync.Mutex // guards per, debts, and who enters
	per   map[int]int
	debts map[int]*debt // of guests, by uid, for as long as they have a connection
}

// NewServer starts the workers of a server, which does not listen: [Server.Via] is the way there within this program, and
// [Serve] the one for others. Close ends it.
func NewServer(ctx context.Context, o ServeOptions) (*Server, error) {
	if !registry.Sealed() {
		return nil, errors.New("pool: delivery.Main was not called: make it the first line of main, or a worker would run main instead of functions")
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	s := &Server{options: o, over: make(chan struct{}), ending: make(chan struct{}), per: map[int]int{}, debts: map[int]*debt{}}
	s.hush.Log, s.hush.Lines, s.hush.Span = o.Log, logLines, logSpan
	s.guests.limit = o.MaxKept
	var err error
	if s.policy, err = newPolicy(o.Rules, o.Only); err != nil {
		return nil, err
	}
	if s.pool, err = Open(ctx, o.Pool); err != nil {
		return nil, err
	}
	return s, nil
}

// fill puts in the defaults, and refuses what cannot be.
func (o *ServeOptions) fill() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"Backlog", int64(o.Backlog)}, {"MaxConnections", int64(o.MaxConnections)}, {"MaxPerUser", int64(o.MaxPerUser)},
		{"MaxAccepts", o.MaxAccepts}, {"Patience", int64(o.Patience)}, {"WriteTimeout", int64(o.WriteTimeout)},
		{"MaxKeptPerUser", o.MaxKeptPerUser}, {"MaxKept", o.MaxKept},
	} {
		if f.value < 0 {
			return fmt.Errorf("pool: field %s %d: it must not be negative", f.name, f.value)
		}
	}
	o.MaxConnections, o.MaxPerUser = or(o.MaxConnections, defaultConnections), or(o.MaxPerUser, defaultPerUser)
	o.Patience, o.WriteTimeout = or(o.Patience, defaultPatience), or(o.WriteTimeout, defaultWriteTimeout)
	o.MaxKeptPerUser, o.MaxKept = or(o.MaxKeptPerUser, defaultKeptPerUser), or(o.MaxKept, defaultKept)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Pool.Via == nil {
		o.Pool.Via = transport.Self{}
	}
	if o.Pool.Log == nil {
		o.Pool.Log = o.Log
	}
	// What functions print between calls is nobody's.
	if o.Pool.Session.Stdout == nil {
		o.Pool.Session.Stdout = io.Discard
	}
	if o.Pool.Session.Stderr == nil {
		o.Pool.Session.Stderr = os.Stderr
	}
	return nil
}

// Stats says what the workers do.
func (s *Server) Stats() Stats { return s.pool.Stats() }

// Scale changes how many workers there are; see [Pool.Scale].
func (s *Server) Scale(n int) int { return s.pool.Scale(n) }

// Drain takes no more calls: those that come are refused, and clients that have none running are sent away. It returns when
// all calls have ended, or ctx has. Close is still to be called.
func (s *Server) Drain(ctx context.Context) error {
	s.begin()
	return s.pool.Drain(ctx)
}

// Close ends the server, after Drain, as long as the pool's Drain says: then clients are cut off, and their calls end.
func (s *Server) Close() error {
	s.begin()
	err := s.pool.Close()
	s.cut()
	s.work.Wait()
	s.hush.End()
	return err
}

// cut sends all clients away.
func (s *Server) cut() { s.end.Do(func() { close(s.over) }) }

// enter counts a client in, until leave; it is an error if the server ends, or there is no room.
func (s *Server) enter(who Peer) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ending:
		return nil, ErrClosed
	default:
	}
	if !s.policy.owner(who) && s.per[who.UID] >= s.options.MaxPerUser {
		return nil, fmt.Errorf("uid %d has %d connections, which is all that it may have", who.UID, s.per[who.UID])
	}
	s.per[who.UID]++
	s.work.Add(1)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.per[who.UID]--; s.per[who.UID] == 0 {
			delete(s.per, who.UID)
			delete(s.debts, who.UID)
		}
		s.work.Done()
	}, nil
}

// warn writes a line of the log about a client, unless there were enough of the kind.
func (s *Server) warn(who Peer, kind string, log *slog.Logger, msg string, args ...any) {
	s.hush.Warn(fmt.Sprintf("uid %d, %s", who.UID, kind), log, msg, args...)
}

// begin begins to end: no more clients, no more calls.
func (s *Server) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends.Do(func() { close(s.ending) })
}
