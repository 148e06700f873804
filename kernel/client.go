package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say which kernel to talk to. The zero Options are this user's own, if it runs.
type Options struct {
	// Socket is where it listens. Empty: DefaultSocket.
	Socket string

	// Start starts a kernel if none is there: one of this program, see Start, or of Program.
	Start bool

	// Program is a deliveryboy command that is started instead of this program, as "PROGRAM kernel serve --daemonize".
	Program string

	// Settings are those of a kernel that is started; its Socket is that of these Options.
	Settings Settings

	// Timeout is how long it may take to connect, also again after the connection was lost. 0: 10s.
	Timeout time.Duration

	// Server is the uid of the kernel, if that is neither root nor this user. A kernel of somebody else is not talked to:
	// it may be one that took another's place.
	Server int

	// Console has replies as people see them who type commands: for a shell. Only Do, Stream and Help work with it.
	Console bool
}

const defaultTimeout = 10 * time.Second

// ErrLost says that the connection ended before the reply came. Whether the command was carried out is not known.
var ErrLost = errors.New("kernel: the connection ended before the reply")

// ErrClosed says that the Client was closed.
var ErrClosed = errors.New("kernel: the client is closed")

// A Client is somebody's way to a kernel. Many goroutines may use it at once, and each waits for its own reply only. It has
// one connection, which it makes again when it was lost, for instance because the kernel was started anew.
type Client struct {
	options Options

	dialing sync.Mutex // one at a time connects

	mu     sync.Mutex // guards what follows
	link   *link
	closed bool
}

// Open connects to a kernel.
func Open(ctx context.Context, o Options) (*Client, error) {
	if o.Socket == "" {
		var err error
		if o.Socket, err = DefaultSocket(); err != nil {
			return nil, err
		}
	}
	if err := CheckSocketPath(o.Socket); err != nil {
		return nil, err
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("kernel: timeout %s: it must not be negative", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	c := &Client{options: o}
	_, err := c.connected(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends the connection. What waits for a reply gets ErrLost.
func (c *Client) Close() error {
	c.mu.Lock()
	l := c.link
	c.link, c.closed = nil, true
	c.mu.Unlock()
	if l != nil {
		l.close()
	}
	return nil
}

// connected is the connection, which is made if there is none.
func (c *Client) connected(ctx context.Context) (*link, error) {
	if l, err := c.current(); l != nil || err != nil {
		return l, err
	}
	c.dialing.Lock()
	defer c.dialing.Unlock()
	if l, err := c.current(); l != nil || err != nil { // somebody else was faster
		return l, err
	}
	l, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		l.close()
		return nil, ErrClosed
	}
	c.link = l
	return l, nil
}

func (c *Client) current() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.link != nil && c.link.over() {
		c.link = nil
	}
	return c.link, nil
}

// connect connects, and starts a kernel if there is none and that is wanted.
func (c *Client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.Timeout, fmt.Errorf("could not connect to the kernel in %s", c.options.Timeout))
	defer cancel()
	started := false
	for {
		l, err := dial(ctx, c.options)
		switch {
		case err == nil:
			return l, nil
		case ctx.Err() != nil:
			return nil, c.late(ctx, err)
		case nobody(err) && c.options.Start && !started:
			if err := c.start(ctx); err != nil && !errors.Is(err, ErrRunning) {
				return nil, err
			}
			started = true
		case errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("kernel: socket %s: this kernel serves other users: %w (%w); where one's own is, XDG_RUNTIME_DIR and HOME say", c.options.Socket, ErrDenied, err)
		case errors.Is(err, syscall.EAGAIN) || errors.Is(err, ErrLost) || started && nobody(err):
			select { // its backlog is full, or it is about to start: there is nothing to wait on
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		case nobody(err):
			return nil, fmt.Errorf("kernel: socket %s: no kernel runs there; start one with deliveryboy kernel serve: %w (%w)", c.options.Socket, ErrUnavailable, err)
		default:
			return nil, err
		}
	}
}

// late is why a kernel could not be reached in time.
func (c *Client) late(ctx context.Context, err error) error {
	why := err.Error()
	if errors.Is(err, errSilent) {
		why = fmt.Sprintf("somebody listens there and says nothing; if its processes are stopped, which pgrep -af %s shows, kill -CONT continues them", c.options.Socket)
	}
	return fmt.Errorf("kernel: socket %s: %w: %s", c.options.Socket, context.Cause(ctx), why)
}

// nobody reports whether an error says that no kernel listens.
func nobody(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func (c *Client) start(ctx context.Context) error {
	set := c.options.Settings
	set.Socket = c.options.Socket
	if standard, err := DefaultSocket(); err == nil && standard == set.Socket && set.State == "" {
		set.Socket = "" // so that the state is where it belongs
	}
	if c.options.Program == "" {
		return Start(ctx, set)
	}
	if err := set.Complete(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, c.options.Program, set.argv()...)
	out, err := cmd.CombinedOutput()
	if err == nil || strings.Contains(string(out), ErrRunning.Error()) {
		return nil
	}
	return fmt.Errorf("kernel: %s: %.400s: %w", strings.Join(cmd.Args, " "), strings.TrimSpace(string(out)), err)
}

// argv is the command line of a deliveryboy that becomes a kernel with these settings.
func (s Settings) argv() []string {
	argv := []string{"kernel", "serve", "--daemonize", "--socket", s.Socket, "--state", s.State}
	for _, uid := range s.AllowUIDs {
		argv = append(argv, fmt.Sprintf("--allow-uid=%d", uid))
	}
	if s.Connections != 0 {
		argv = append(argv, fmt.Sprintf("--connections=%d", s.Connections))
	}
	if s.Log != "" {
		argv = append(argv, "--log", s.Log)
	}
	if s.PIDFile != "" {
		argv = append(argv, "--pidfile", s.PIDFile)
	}
	return argv
}

// Do carries out a command of the protocol, of which each word is one argument, and returns the reply, which is text in the
// form of SPEC.md. There are typed methods for all commands; Do is for what they have not.
func (c *Client) Do(ctx context.Context, words ...string) (string, error) {
	return c.do(ctx, false, words...)
}

// do sends a command. One that does the same when it comes twice is sent again if the connection was lost.
func (c *Client) do(ctx context.Context, again bool, words ...string) (string, error) {
	for attempt := 0; ; attempt++ {
		l, err := c.connected(ctx)
		if err != nil {
			return "", err
		}
		body, sent, err := l.ask(ctx, words)
		if !errors.Is(err, ErrLost) || sent && !again || attempt == mostAttempts || ctx.Err() != nil {
			return body, err
		}
	}
}

// mostAttempts is how often a command is sent again.
const mostAttempts = 5

// Uid of this process, whose kernel is trusted.
func trusted(o Options, uid int) bool {
	return uid == 0 || uid == os.Geteuid() || o.Server != 0 && uid == o.Server
}
