package process

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/process/event"
)

// A Process is one run of a program. Its methods may be called from many goroutines at once.
type Process struct {
	cfg     Config
	stdio   Stdio
	bus     event.Bus[Event]
	host    Host
	far     bool                         // it is run for a caller elsewhere: what is left of its group ends with it
	outward func(label string) io.Writer // where outputs go instead of to listeners; may be nil

	settled chan struct{} // closed when Start has come to its end

	mu      sync.Mutex // guards what follows, up to stopped
	begun   bool
	abort   context.CancelFunc // ends a start; nil before it
	body    body               // nil before Start
	watch   watch
	ref     string
	over    bool           // it has ended
	inErr   error          // of copying to stdin
	stopped sync.WaitGroup // goroutines of this process

	state State         // final when done is closed
	err   error         // final when done is closed
	done  chan struct{} // closed when the process has ended, and its outputs have
}

// A body is a process as it can be reached: here or elsewhere.
type body interface {
	pid() int
	path() string // the program's file
	signal(ctx context.Context, sig syscall.Signal) error
	terminate(ctx context.Context, grace time.Duration) error // SIGTERM for the group, which has the grace to end
	kill(ctx context.Context) error                           // all of it
	stats(ctx context.Context) (Stats, error)
	write(label string, data []byte) (int, error)
	closeWrite(label string) error
	mute(output string) error // nobody takes what comes there any more, which the program is to notice
}

// New prepares a process without starting it, so that one can subscribe to all of its events. At most one Stdio is taken.
func New(cfg Config, stdio ...Stdio) (*Process, error) { return Host{}.New(cfg, stdio...) }

// Start starts a process here.
func Start(cfg Config, stdio ...Stdio) (*Process, error) {
	return Host{}.Start(context.Background(), cfg, stdio...)
}

func newProcess(h Host, cfg Config, stdio []Stdio) (*Process, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	p := &Process{cfg: cfg.named(), host: h, done: make(chan struct{}), settled: make(chan struct{})}
	p.bus.Name = p.cfg.Name
	p.bus.Size = func(e Event) int64 { return int64(len(e.Data)) }
	if len(stdio) > 0 {
		p.stdio = stdio[0]
	}
	return p, p.checkStdio()
}

func (p *Process) checkStdio() error {
	c, s := p.cfg, p.stdio
	switch {
	case c.Input && s.Stdin != nil:
		return c.wrong("input", "stdin is given as well: one of them")
	case c.Detach && (!lasts(s.Stdin) || !lasts(s.Stdout) || !lasts(s.Stderr)):
		return c.wrong("detach", "what is copied ends with this process: give files as its Stdio, or none")
	case len(c.Outputs) > 0 && (s.Stdout != nil || s.Stderr != nil):
		return c.wrong("outputs", "stdout or stderr is given as well: labels, or writers")
	}
	return nil
}

// lasts reports whether a stream is passed on as it is.
func lasts(stream any) bool {
	_, file := stream.(*os.File)
	return file || stream == nil
}

// Start starts the process; it can be done once. ctx is for the start alone: what ends with it elsewhere is the wait for an
// answer, and then the process too.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	if p.begun {
		p.mu.Unlock()
		return p.cfg.wrong("start", "it was started already: make another one")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.begun, p.abort = true, cancel
	p.mu.Unlock()
	defer close(p.settled)
	err := p.host.start(ctx, p)
	if err != nil {
		p.finish(State{Code: -1}, err)
		return err
	}
	return nil
}

// starting waits for a start that goes on, and ends it when ctx is done.
func (p *Process) starting(ctx context.Context) {
	p.mu.Lock()
	abort := p.abort
	p.mu.Unlock()
	if abort == nil {
		return
	}
	select {
	case <-p.settled:
	case <-ctx.Done():
		abort()
		<-p.settled
	}
}

// runs takes the body in, when there is one.
func (p *Process) runs(b body) {
	p.mu.Lock()
	p.body = b
	p.mu.Unlock()
	p.publish(Event{Topic: TopicStart})
}

// finish is the end: it comes once.
func (p *Process) finish(s State, err error) {
	p.state, p.err = s, err
	p.forget()
	p.endWatch()
	close(p.done)
	e := Event{Topic: TopicExit, Err: err}
	if err == nil || errors.Is(err, errWaitDelay) {
		e.State = &s
	}
	p.publish(e)
	p.bus.Close()
}

// alive returns the body of a process that runs.
func (p *Process) alive() (body, error) {
	p.mu.Lock()
	b := p.body
	p.mu.Unlock()
	select {
	case <-p.done:
		return nil, ErrDone
	default:
	}
	if b == nil {
		return nil, ErrNotStarted
	}
	return b, nil
}

// Name is what the process is called.
func (p *Process) Name() string { return p.cfg.Name }

// PID is the process's number on its machine, also when it has ended; 0 before it is started.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.body == nil {
		return 0
	}
	return p.body.pid()
}

// Path is the program's file, as it was found; empty before it is started.
func (p *Process) Path() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.body == nil {
		return ""
	}
	return p.body.path()
}

// Active reports whether the process was started and has not ended.
func (p *Process) Active() bool {
	_, err := p.alive()
	return err == nil
}

// Done is closed when the process has ended, and its outputs have.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits until the process has ended, and its outputs have, and tells how. A process that failed is no error of Wait:
// see [State]. Errors are that of ctx, that of a start that failed, exec.ErrWaitDelay, of a copying goroutine, or of a
// courier that lost the process.
func (p *Process) Wait(ctx context.Context) (State, error) {
	p.mu.Lock()
	begun := p.begun
	p.mu.Unlock()
	if !begun {
		return State{Code: -1}, ErrNotStarted
	}
	select {
	case <-p.done:
		return p.state, p.err
	default:
	}
	select {
	case <-p.done:
		return p.state, p.err
	case <-ctx.Done():
		return State{PID: p.PID(), Code: -1}, ctx.Err()
	}
}

// Signal sends a signal to the process alone. [ErrDone] says that it has ended.
func (p *Process) Signal(ctx context.Context, sig syscall.Signal) error {
	b, err := p.alive()
	if err != nil {
		return err
	}
	if err := b.signal(ctx, sig); err != nil {
		return err
	}
	p.publish(Event{Topic: TopicSignal, Signal: SignalName(sig)})
	return nil
}

// Kill kills the process, and everything that it started.
func (p *Process) Kill(ctx context.Context) error {
	b, err := p.alive()
	if err != nil {
		return err
	}
	return b.kill(ctx)
}

// Stop asks the process, and its process group, to end, with SIGTERM, and waits. After Config.Grace, or when ctx is done,
// it kills the process and everything that it started. It returns how the process ended. One that has ended is no error. A
// start that goes on is waited for, or ended when ctx is done.
//
// Outputs that others still have then, who are neither below the process nor in its group, are given up: the error is
// exec.ErrWaitDelay.
func (p *Process) Stop(ctx context.Context) (State, error) {
	p.starting(ctx)
	b, err := p.alive()
	if errors.Is(err, ErrDone) {
		return p.Wait(context.WithoutCancel(ctx))
	}
	if err != nil {
		return State{Code: -1}, err
	}
	p.publish(Event{Topic: TopicStop})
	grace, cancel := context.WithTimeout(ctx, p.cfg.grace())
	defer cancel()
	if p.cfg.grace() > 0 {
		if err := b.terminate(grace, p.cfg.grace()); err == nil {
			select {
			case <-p.done:
			case <-grace.Done():
			}
		}
	}
	late := context.WithoutCancel(ctx)
	if err := b.kill(late); err != nil && !errors.Is(err, ErrDone) {
		return State{PID: b.pid(), Code: -1}, err
	}
	return p.Wait(late)
}

// Close kills a process that still runs, unless it is detached, waits for it, and for the listeners to its events: a
// listener must not call it. A start that goes on ends. Its error says that the end of the process is not known.
func (p *Process) Close() error {
	defer p.bus.Wait()
	p.mu.Lock()
	begun := p.begun
	p.begun = true
	p.mu.Unlock()
	if !begun {
		p.finish(State{Code: -1}, ErrNotStarted)
		return nil
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	p.starting(over)
	b, err := p.alive()
	switch {
	case err == nil && p.cfg.Detach:
		return nil
	case err == nil:
		if err := b.kill(context.Background()); err != nil && !errors.Is(err, ErrDone) {
			return err
		}
	}
	<-p.done
	p.stopped.Wait()
	return nil
}

// inputFailed keeps the error of copying to stdin.
func (p *Process) inputFailed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inErr = err
}

func (p *Process) takeInputError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inErr
}

// hasLabel reports whether there is an output or stream with a label.
func (c Config) hasLabel(label string) bool {
	return slices.Contains(c.Outputs, label) || slices.Contains(c.Streams, label)
}

func (c Config) labels() []string { return slices.Concat(c.Outputs, c.Streams) }

func quote(s string) string { return strconv.Quote(s) }

// Info is what is known of a process.
type Info struct {
	Config  Config
	PID     int    // 0 before it is started
	Path    string // the program's file
	Dir     string // where it was started, on this machine; empty over a courier that was told none
	Created time.Time
	Active  bool
	Ended   bool
	State   State // if it has ended
}

// Info tells what is known of the process here, without asking the far side.
func (p *Process) Info() Info {
	i := Info{Config: p.cfg, PID: p.PID(), Path: p.Path(), Active: p.Active(), Dir: p.host.dir(p.cfg), Created: p.created()}
	select {
	case <-p.done:
		i.Ended, i.State = true, p.state
	default:
	}
	return i
}
