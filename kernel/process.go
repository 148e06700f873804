package kernel

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// UnknownExit is what a kernel says instead of an exit code that nobody knows: both of its processes and the machine's
// memory of the process are gone.
const UnknownExit = "unknown"

// A ProcessSpec says how a process is started. Only Args is needed. Two with the same name are the same process if the
// specs are the same.
type ProcessSpec struct {
	// Args are the program and its arguments. A name without a slash is looked for in the PATH of Env, or in the system's
	// directories. $(socket.NAME.fileno) and $(socket.NAME.port) anywhere in them stand for a socket of this kernel, which the
	// process gets as an open file, and its port.
	Args []string

	// Shell has /bin/sh run Args, joined by blanks.
	Shell bool

	// Env are all of the process's variables, as "NAME=value". Its caller's are os.Environ().
	Env []string

	Dir string // its directory; empty: "/"

	// User and Group are whose it is, by name or number; for root at root's kernel. With User alone, the group and the
	// other groups are those of that user. Empty: the kernel's.
	User, Group string

	// Limits are limits of getrlimit(2) by name, such as "nofile", soft and hard.
	Limits map[string]uint64

	Stdin  string // Discard (also if empty): it is /dev/null; Pipe: Send writes to it
	Stdout string // Pipe (also if empty): it is kept; Discard
	Stderr string // as Stdout, or Merged: where stdout goes

	// Bufsize is how many bytes of both are kept that nobody has taken yet. 0: 1 MiB; NoBuffer: none.
	Bufsize int64

	// Block has a process wait that has printed more than that, until somebody takes some. Without, the oldest is dropped,
	// and counted.
	Block bool

	// Consumers are who has to take everything before it is given up. Empty: the one without a name.
	Consumers []string

	// Listen are sockets that the process gets as services of systemd do: as descriptors from 3 on, with LISTEN_FDS,
	// LISTEN_PID and LISTEN_FDNAMES in its environment.
	Listen []string
}

// Where the streams of a process go.
const (
	Pipe    = "PIPE"
	Discard = "DEVNULL"
	Merged  = "STDOUT"
)

// NoBuffer is the Bufsize of a process of whose output nothing is kept.
const NoBuffer = -1

// A Process is what a kernel tells of one.
type Process struct {
	Name     string
	PID      int
	Running  bool
	Started  time.Time
	Ended    time.Time // zero while it runs
	ExitCode int       // of those that have ended: minus the number of the signal that ended it
	Known    bool      // ExitCode is known
	UID, GID int
	Shell    bool
	Args     []string // as they were given
	Kept     int64    // bytes that somebody may still take
	Dropped  uint64   // bytes that were more than may be kept
	Removed  bool     // it is forgotten when it ends
	Adopted  bool     // an earlier server of this kernel has started it
}

// words are the spec as a command says it.
func (s ProcessSpec) words() []string {
	var words []string
	add := func(key, value string) {
		if value != "" {
			words = append(words, key+"="+value)
		}
	}
	for _, v := range s.Env {
		words = append(words, "env."+v)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Limits)) {
		add("rlimit."+name, strconv.FormatUint(s.Limits[name], 10))
	}
	add("working_dir", s.Dir)
	add("uid", s.User)
	add("gid", s.Group)
	add("stdin", s.Stdin)
	add("stdout", s.Stdout)
	add("stderr", s.Stderr)
	if s.Bufsize == NoBuffer {
		add("bufsize", "0")
	} else if s.Bufsize != 0 {
		add("bufsize", strconv.FormatInt(s.Bufsize, 10))
	}
	if s.Block {
		add("overflow", "block")
	}
	add("consumers", strings.Join(s.Consumers, ","))
	add("listen", strings.Join(s.Listen, ","))
	if s.Shell {
		add("shell", "yes")
	}
	return append(append(words, "--"), s.Args...)
}

// MakeProcess has the kernel start a process, or returns the one that has this name if it was made with the same spec, also
// if it has ended and nobody has taken its exit code yet.
func (c *Client) MakeProcess(ctx context.Context, name string, spec ProcessSpec) (Process, error) {
	body, err := c.do(ctx, true, append([]string{"make", "process", name}, spec.words()...)...)
	if err != nil {
		return Process{}, err
	}
	list, err := parseProcesses(body)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("kernel: it answers %.80q to make process", body)
	}
	if err != nil {
		return Process{}, err
	}
	return list[0], nil
}

// Processes returns the processes that are meant, by name: by names, by beginnings of names with a star, or by process
// numbers; no patterns mean all. Those that have ended are among them until everything has been taken of them.
func (c *Client) Processes(ctx context.Context, patterns ...string) ([]Process, error) {
	body, err := c.do(ctx, true, append([]string{"list", "processes"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	return parseProcesses(body)
}

// RemoveProcesses forgets what processes have printed, and the processes when they end. They go on. A name that is not
// there is ErrNotFound; "*" is all, and no pattern is an error.
func (c *Client) RemoveProcesses(ctx context.Context, patterns ...string) error {
	_, err := c.do(ctx, false, append([]string{"remove", "processes"}, patterns...)...)
	return err
}

// SignalProcesses sends a signal, such as "HUP" or "1", to processes and to all in their process groups.
func (c *Client) SignalProcesses(ctx context.Context, signal string, patterns ...string) error {
	_, err := c.do(ctx, false, append([]string{"signal", "processes", signal}, patterns...)...)
	return err
}

// StopProcesses sends SIGTERM, and SIGKILL to those that are there after the grace. It returns when they have ended. Their
// output and exit codes stay until somebody takes them.
func (c *Client) StopProcesses(ctx context.Context, grace time.Duration, patterns ...string) error {
	text := "grace=" + strconv.FormatFloat(grace.Seconds(), 'f', -1, 64)
	_, err := c.do(ctx, true, append([]string{"stop", "processes", text}, patterns...)...)
	return err
}

// Send writes to the stdin of a process that was made with Stdin Pipe. It returns when the process's pipe has all of it.
func (c *Client) Send(ctx context.Context, name string, data []byte) error {
	_, err := c.do(ctx, false, "send", "process", name, string(data))
	return err
}

func parseProcesses(body string) ([]Process, error) {
	var list []Process
	err := eachLine(body, func(words []string) error {
		p, err := parseProcess(words)
		list = append(list, p)
		return err
	})
	return list, err
}

func parseProcess(words []string) (p Process, err error) {
	p.Name = words[0]
	end := slices.Index(words, "--")
	if end < 0 {
		return p, fmt.Errorf("kernel: process %q: its line has no command", p.Name)
	}
	p.Args = words[end+1:]
	for _, w := range words[1:end] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "pid":
			p.PID, err = strconv.Atoi(value)
		case "uid":
			p.UID, err = strconv.Atoi(value)
		case "gid":
			p.GID, err = strconv.Atoi(value)
		case "kept":
			p.Kept, err = strconv.ParseInt(value, 10, 64)
		case "dropped":
			p.Dropped, err = strconv.ParseUint(value, 10, 64)
		case "started":
			p.Started, err = parseSeconds(value)
		case "ended":
			p.Ended, err = parseSeconds(value)
		case "exitcode":
			p.ExitCode, p.Known, err = parseExit(value)
		case "running":
			p.Running = value == "yes"
		case "removed":
			p.Removed = value == "yes"
		case "adopted":
			p.Adopted = value == "yes"
		case "shell":
			p.Shell = value == "yes"
		}
		if err != nil {
			return p, fmt.Errorf("kernel: process %q: %q: %w", p.Name, w, err)
		}
	}
	return p, nil
}

// parseSeconds reads seconds since 1970 with a fraction.
func parseSeconds(text string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	s, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	us, err := strconv.ParseInt((fraction + "000000")[:6], 10, 64)
	return time.Unix(s, us*1000), err
}

func parseExit(text string) (code int, known bool, err error) {
	if text == UnknownExit {
		return 0, false, nil
	}
	code, err = strconv.Atoi(text)
	return code, true, err
}

// Upgrade has the kernel go on as another program, which is a file with an absolute path; empty is the one that it was started
// from, which may have been replaced. Connections, watches, sockets, processes and values are there afterwards. It returns
// when that program serves. If the program does not work, the one before goes on.
func (c *Client) Upgrade(ctx context.Context, program string) (string, error) {
	words := []string{"upgrade"}
	if program != "" {
		words = append(words, program)
	}
	return c.do(ctx, false, words...)
}
