// Package hop makes a hop of an open session: the next worker is started from inside that session's worker, and what it says
// goes through the session.
//
//	gate, err := delivery.Open(ctx, transport.SSH{Host: "gate"})
//	…
//	inner, err := delivery.Open(ctx, transport.Chain{hop.Through(gate), transport.SSH{Host: "inner"}, transport.Sudo{}})
//
// A chain of ssh hops does the same with a login of its own for each session; through a session, what was proved on the way
// to it, by a password or a token, counts for all that goes through it. It also goes where only the session's user may go.
//
// # Who may
//
// The worker of a session that is a hop starts any program that its caller names, as its user. A program allows that by the
// import of this package, which registers the function [Name]; a program without it has no such function. Think of it before
// such a program is allowed in sudoers without a list of functions: a worker that is narrowed runs it only if [Name] is on its
// list.
//
// # Ends
//
// When the session ends, in whatever way, the workers that were started through it end as those whose caller is gone do; calls
// in flight fail with session.ErrLost, and the error names the hop. When such a worker ends, the session goes on. A hop is
// one call of the session's: it counts for Concurrent and MaxCalls, and keeps the session from being idle.
//
// # Limits
//
// It can only be the first hop. Open files do not pass. There is no text form that transport.Parse reads: a spec does not know
// which sessions are open. The command deliveryboy has via=NAME for those to its targets.
package hop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A Hop goes through a session. It is a transport.Dialer.
type Hop struct {
	through *session.Session
}

// Through returns the hop through a session, which has to stay open for as long as others go through it.
func Through(s *session.Session) Hop { return Hop{s} }

// Command returns argv, which is run as it is.
func (h Hop) Command(argv []string) ([]string, error) {
	if len(argv) == 0 {
		return nil, errors.New("hop: argv is empty; give at least the program to run")
	}
	if h.through == nil {
		return nil, errors.New("hop: there is no session; make the hop with Through")
	}
	return slices.Clone(argv), nil
}

// String names the hop in errors and logs, such as "via=ssh=gate".
func (h Hop) String() string {
	if h.through == nil {
		return "via="
	}
	return "via=" + strings.ReplaceAll(h.through.Via().String(), "//", `/\/`)
}

// Dial has the session's worker start a command. It does not wait for that: what goes wrong there shows in Wait.
func (h Hop) Dial(_ context.Context, command []string, streams [3]*os.File) (transport.Dialed, error) {
	l := &line{streams: streams, done: make(chan struct{})}
	if err := h.through.Err(); err != nil {
		l.closeStreams()
		return nil, &Error{Via: h.String(), Err: err}
	}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.Background())
	go func() { // Wait waits for it
		defer close(l.done)
		l.code, l.err = start.On(h.through)(ctx, command, streams[0], streams[1], streams[2])
		if l.err != nil {
			l.err = &Error{Via: h.String(), Err: l.err}
		}
	}()
	return l, nil
}

// A line is a command that runs there.
type line struct {
	streams [3]*os.File
	cancel  context.CancelFunc
	once    sync.Once

	done chan struct{} // closed when what follows is valid
	code int
	err  error
}

// Wait returns how the command ended.
func (l *line) Wait() (code int, err error) {
	<-l.done
	l.cancel()
	l.closeStreams()
	return l.code, l.err
}

// Close ends the command. What nobody reads here keeps nobody waiting any more.
func (l *line) Close() error {
	l.once.Do(func() {
		l.cancel()
		for _, f := range l.streams[1:] {
			_ = f.SetWriteDeadline(time.Now())
		}
	})
	return nil
}

func (l *line) closeStreams() {
	for _, f := range l.streams {
		f.Close()
	}
}

// An Error says that a hop through a session did not come about, or ended with the session.
type Error struct {
	Via string // the hop
	Err error  // why
}

func (e *Error) Error() string { return fmt.Sprintf("hop %s: %v", e.Via, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Hop is the hop that failed, for the errors of the session behind it.
func (e *Error) Hop() string { return e.Via }
