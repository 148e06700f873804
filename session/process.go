package session

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/internal/askpass"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A process is a transport that runs, with our ends of its three streams.
type process struct {
	cmd     *exec.Cmd        // nil if it runs in this process
	dialed  transport.Dialed // nil if it is a process of its own
	stdin   *os.File         // closing it is the signal that the caller is gone
	stdout  *os.File
	stderr  *os.File
	socket  bool // stdin is one, so that descriptors can pass
	mayKill bool // SIGKILL leaves nothing privileged behind

	said   wire.Excess   // the end of stderr; read it after exited and drained
	exited chan struct{} // closed when the transport is reaped
	ended  exit          // read it after exited
	wait   sync.WaitGroup
	once   sync.Once

	mu    sync.Mutex // guards steps
	steps []string   // what it took to end it
}

// afterlife is how long the streams of a transport that has ended may stay open: a process that it left behind may hold
// them.
const afterlife = 250 * time.Millisecond

func start(ctx context.Context, via transport.Transport, argv []string, env ...string) (*process, error) {
	p := &process{exited: make(chan struct{}), mayKill: !transport.GainsPrivilege(via), socket: transport.PassesFiles(via)}
	theirs, err := p.open()
	switch d := transport.DialerOf(via); {
	case err != nil:
		closeAll(theirs[:])
	case d != nil:
		p.dialed, err = d.Dial(ctx, argv, theirs)
	default:
		p.cmd, err = execute(via, argv, env, theirs)
		closeAll(theirs[:])
	}
	if err != nil {
		p.closeStreams()
		return nil, err
	}
	p.wait.Add(2)
	go p.listen()
	go p.reap()
	return p, nil
}

// execute starts a program.
func execute(via transport.Transport, argv, env []string, streams [3]*os.File) (*exec.Cmd, error) {
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Env: append(askpass.English(os.Environ()), env...), SysProcAttr: attributes(via)}
	if exe, err := os.Executable(); err == nil && argv[0] == exe && runtime.GOOS == "linux" {
		cmd.Path = "/proc/self/exe" // still this build, if another one was installed meanwhile
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = streams[0], streams[1], streams[2]
	return cmd, cmd.Start()
}

// open makes the three streams.
func (p *process) open() (theirs [3]*os.File, err error) {
	if p.socket {
		theirs[0], p.stdin, err = socketpair()
	} else if theirs[0], p.stdin, err = os.Pipe(); err == nil {
		widen(p.stdin)
	}
	if err == nil {
		if p.stdout, theirs[1], err = os.Pipe(); err == nil {
			widen(p.stdout)
			p.stderr, theirs[2], err = os.Pipe()
		}
	}
	return theirs, err
}

// attributes keep the terminal's Ctrl-C away from the worker: the caller decides what it cancels. sudo looks for a ticket
// under the terminal that it was given, and a prefix may do the like: these keep the terminal.
func attributes(via transport.Transport) *syscall.SysProcAttr {
	hops := transport.Hops(via)
	if len(hops) > 0 {
		switch hops[0].(type) {
		case transport.Self, transport.Userns, transport.SSH, transport.Socket:
		default:
			return &syscall.SysProcAttr{Setpgid: true}
		}
	}
	return &syscall.SysProcAttr{Setsid: true}
}

func (p *process) listen() {
	defer p.wait.Done()
	buf := make([]byte, 8<<10)
	for {
		n, err := p.stderr.Read(buf)
		_, _ = p.said.Write(buf[:n])
		if err != nil {
			return
		}
	}
}

func (p *process) reap() {
	defer p.wait.Done()
	if p.dialed != nil {
		p.ended.code, p.ended.lost = p.dialed.Wait()
	} else {
		_ = p.cmd.Wait() // how it ended is in cmd
		p.ended = exitOf(p.cmd.ProcessState)
	}
	_ = p.stderr.SetReadDeadline(time.Now().Add(afterlife))
	close(p.exited)
}

// release closes the lifeline: the worker sees that nobody waits for it.
func (p *process) release() {
	p.once.Do(func() {
		if p.socket {
			shutdown(p.stdin)
		}
		p.stdin.Close()
	})
}

// interrupt makes all reads and writes of the streams return at once.
func (p *process) interrupt() {
	if p.socket {
		shutdown(p.stdin)
	} else {
		_ = p.stdin.SetDeadline(time.Now())
	}
	_ = p.stdout.SetDeadline(time.Now())
}

// terminate asks the transport to end. It may be stopped, and a stopped process takes no signal but these.
func (p *process) terminate() {
	if p.dialed != nil {
		p.noted("closed the connection")
		_ = p.dialed.Close()
		return
	}
	p.noted("sent SIGTERM to the transport")
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
}

// kill ends the transport if that leaves nothing privileged behind. Whoever kills sudo leaves a root process that only
// root can end.
func (p *process) kill() {
	if p.mayKill && p.cmd != nil {
		p.noted("sent SIGKILL to the transport")
		_ = p.cmd.Process.Kill()
	}
}

func (p *process) noted(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.steps, step) {
		p.steps = append(p.steps, step)
	}
}

func (p *process) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.steps)
}

// exitsWithin reports whether the transport ended in time.
func (p *process) exitsWithin(d time.Duration) bool { return within(p.exited, d) }

// within reports whether c was closed in time.
func within(c <-chan struct{}, d time.Duration) bool {
	select {
	case <-c:
		return true
	default:
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return false
	}
}

// patience with a transport that was asked to end, step by step: it closes within a moment, or it is asked again.
const (
	nearby   = 150 * time.Millisecond // for a worker on this machine to say something
	politely = 2 * time.Second        // after the lifeline was closed
	firmly   = time.Second            // after SIGTERM
	finally  = time.Second            // after SIGKILL
)

// end closes the lifeline and waits for the transport to end, asking ever more firmly: for first, and after SIGTERM for
// the grace and more. It reports whether it ended; if not, a goroutine goes on waiting for it.
func (p *process) end(first, grace time.Duration) bool {
	p.release()
	ended := p.exitsWithin(first)
	if !ended {
		p.terminate()
		ended = p.exitsWithin(grace + firmly)
	}
	if !ended {
		p.kill()
		ended = p.exitsWithin(finally)
	}
	if ended {
		p.wait.Wait()
		p.closeStreams()
		return true
	}
	go func() { // reap what would not die, whenever it does
		p.wait.Wait()
		p.closeStreams()
	}()
	return false
}

func (p *process) closeStreams() { closeAll([]*os.File{p.stdin, p.stdout, p.stderr}) }

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
