package server

import (
	"context"
	"math"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/child"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

func init() {
	register(
		&command{words: "make process", args: "NAME [KEY=VALUE…] COMMAND [ARG…]", run: makeProcess, slow: true, talks: true, pausable: true, help: `Start a process, and keep what it prints.
env.NAME     a variable; it has no others
working_dir  its directory; the default is /
uid, gid     whose it is, by number or name; for root at root's kernel
rlimit.NAME  a limit of getrlimit(2), soft and hard, such as rlimit.nofile=100
stdout       PIPE (the default) keeps it, DEVNULL does not
stderr       PIPE, DEVNULL, or STDOUT: where stdout goes
stdin        DEVNULL (the default), or PIPE: "send process" writes to it
bufsize      how much of both is kept, such as 64k; the default is 1m, and 0 keeps nothing
overflow     when that is full: drop (the default) the oldest, or block until somebody takes it
consumers    NAME,NAME: who has to take everything; the default is the one consumer without a name
listen       NAME,NAME: sockets that it gets as services of systemd do (LISTEN_FDS)
shell        yes: the words are a line for /bin/sh
watch        yes: watch it at once, as "watch processes" does
-- ends the options. $(socket.NAME.fileno) and $(socket.NAME.port) in the words stand for a socket that
the process gets, and its port. The same again is no error.`},
		&command{words: "list processes", args: "[NAME…]", run: listProcesses, help: "List processes, by name, NAME*, or process number."},
		&command{words: "remove processes", args: "NAME…", run: removeProcesses, help: `Forget what processes have printed, and the processes when they end. They go on.
"*" is all.`},
		&command{words: "signal processes", args: "SIGNAL NAME…", run: signalProcesses, help: `Send a signal, such as HUP or 1, to processes and all in their process groups.`},
		&command{words: "stop processes", args: "[grace=SECONDS] NAME…", run: stopProcesses, slow: true, pausable: true, help: `Send SIGTERM to processes and their groups, and SIGKILL to those that are there after the grace, 10 s.
It answers when they have ended. Their output and exit codes stay.`},
		&command{words: "send process", args: "NAME DATA", run: sendProcess, slow: true, pausable: true, help: "Write to the stdin of a process that was made with stdin=PIPE."},
	)
}

var processKeys = []string{"env.", "working_dir", "uid", "gid", "rlimit.", "stdin", "stdout", "stderr", "bufsize", "overflow",
	"consumers", "listen", "shell", "watch"}

func makeProcess(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		return kernel.Errorf(kernel.Usage, "Process requires a name")
	}
	options, words, err := settings(c.args[1:], processKeys...)
	if err != nil {
		return err
	}
	spec := child.Spec{Name: c.args[0], Owner: c.owner, Args: words}
	watch, err := c.fill(&spec, options)
	if err != nil {
		return err
	}
	if c.resume != nil { // it was made, and is being watched
		return c.watch(ctx, []string{spec.Name}, "", false)
	}
	s := c.conn.server
	info, err := s.processes.Make(spec, func() (child.Start, func(), error) {
		claim, err := s.sockets.Claim(c.owner, spec.Listen, spec.Args)
		if err != nil {
			return child.Start{}, nil, err
		}
		return child.Start{Args: claim.Args, Files: claim.Files, Count: claim.Listen, Env: claim.Env()}, claim.Close, nil
	})
	if err != nil {
		return err
	}
	c.tell(info)
	if !watch {
		return nil
	}
	return c.watch(ctx, []string{spec.Name}, "", false)
}

// fill fills a spec from options.
func (c *call) fill(spec *child.Spec, options map[string]string) (watch bool, err error) {
	spec.Bufsize, spec.Dir = child.DefaultBufsize, "/"
	if err := c.fillIdentity(spec, options); err != nil {
		return false, err
	}
	for key, value := range options {
		switch key {
		case "working_dir":
			spec.Dir = value
		case "stdin":
			spec.Stdin = value
		case "stdout":
			spec.Stdout = value
		case "stderr":
			spec.Stderr = value
		case "overflow":
			spec.Overflow = value
		case "bufsize":
			spec.Bufsize, err = child.ParseSize(value)
		case "listen":
			spec.Listen = strings.Split(value, ",")
		case "consumers":
			spec.Consumers = strings.Split(value, ",")
		case "shell":
			spec.Shell, err = parseYes(key, value)
		case "watch":
			watch, err = parseYes(key, value)
		case "uid", "gid":
		default:
			err = fillMore(spec, key, value)
		}
		if err != nil {
			return false, err
		}
	}
	return watch, nil
}

// fillMore is for the options that have a name behind a dot.
func fillMore(spec *child.Spec, key, value string) error {
	if variable, ok := strings.CutPrefix(key, "env."); ok {
		spec.Env = append(spec.Env, variable+"="+value)
		return nil
	}
	limit := strings.ToLower(strings.TrimPrefix(key, "rlimit."))
	n, err := strconv.ParseUint(value, 10, 64)
	if value == "unlimited" || value == "-1" {
		n, err = math.MaxUint64, nil
	}
	if err != nil {
		return kernel.Errorf(kernel.Usage, "%s=%s: it must be a number, or unlimited", key, line.Quote(shorten(value)))
	}
	if spec.Limits == nil {
		spec.Limits = map[string]uint64{}
	}
	spec.Limits[limit] = n
	return nil
}

func parseYes(key, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "1", "yes", "true", "t":
		return true, nil
	case "0", "no", "false", "f":
		return false, nil
	}
	return false, kernel.Errorf(kernel.Usage, "%s=%s: it must be yes or no", key, line.Quote(shorten(value)))
}

// fillIdentity decides whose a process is. What a user starts never has more rights than that user.
func (c *call) fillIdentity(spec *child.Spec, options map[string]string) error {
	peer := c.conn.peer.UID
	uid, gid := options["uid"], options["gid"]
	switch {
	case (uid != "" || gid != "") && (peer != 0 || os.Geteuid() != 0):
		return kernel.Errorf(kernel.Denied, "process %s: uid and gid are for root, at root's kernel", line.Visible(shorten(spec.Name)))
	case peer != 0 && peer != os.Geteuid() && os.Geteuid() != 0:
		return kernel.Errorf(kernel.Denied, "process %s: this kernel runs as user %d, and starts processes for that one alone", line.Visible(shorten(spec.Name)), os.Geteuid())
	case peer != 0 && os.Geteuid() == 0:
		spec.UID = &peer
		return nil
	}
	if uid != "" {
		n, err := number(uid, "user", func() (string, error) {
			u, err := user.Lookup(uid)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		})
		if err != nil {
			return err
		}
		spec.UID = &n
	}
	if gid != "" {
		n, err := number(gid, "group", func() (string, error) {
			g, err := user.LookupGroup(gid)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		})
		if err != nil {
			return err
		}
		spec.GID = &n
	}
	return nil
}

// number is the number that a user or group has.
func number(word, kind string, look func() (string, error)) (int, error) {
	if n, err := strconv.ParseUint(word, 10, 32); err == nil && n < math.MaxUint32 {
		return int(n), nil
	}
	text, err := look()
	if err != nil {
		return 0, kernel.Errorf(kernel.Usage, "Unknown %s %s", kind, line.Quote(shorten(word)))
	}
	return strconv.Atoi(text)
}

// tell is a line about a process: what it is, and behind "--" its command.
func (c *call) tell(i child.Info) {
	words := []string{i.Spec.Name, "pid=" + strconv.Itoa(i.PID), "running=" + yes(i.Running), "started=" + seconds(i.Started),
		"uid=" + strconv.Itoa(i.UID), "gid=" + strconv.Itoa(i.GID), "kept=" + strconv.FormatInt(i.Kept, 10),
		"dropped=" + strconv.FormatUint(i.Dropped, 10)}
	add := func(when bool, word string) {
		if when {
			words = append(words, word)
		}
	}
	add(!i.Running, "ended="+seconds(i.Ended))
	add(!i.Running, "exitcode="+exitCode(i.Code, i.Known))
	add(i.Removed, "removed=yes")
	add(i.Adopted, "adopted=yes")
	add(i.Spec.Shell, "shell=yes")
	c.say(append(append(words, "--"), i.Spec.Args...)...)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// seconds is a time as papa tells it: seconds since 1970, with a fraction.
func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', 6, 64)
}

// exitCode is an exit code, minus a signal, or that nobody knows.
func exitCode(code int, known bool) string {
	if !known {
		return kernel.UnknownExit
	}
	return strconv.Itoa(code)
}

// patterns reads the names that a command is about.
func (c *call) patterns(words []string) ([]name.Pattern, error) {
	list, err := name.ParseAll("process", words)
	if err != nil {
		return nil, kernel.Errorf(kernel.Usage, "%s", line.Visible(err.Error()))
	}
	return list, nil
}

func listProcesses(_ context.Context, c *call) error {
	patterns, err := c.patterns(c.args)
	if err != nil {
		return err
	}
	if err := c.hold(infoCost * c.conn.server.processes.Has(c.owner)); err != nil {
		return err
	}
	for _, i := range c.conn.server.processes.List(c.owner, patterns) {
		if err := c.measure(); err != nil {
			return err
		}
		c.tell(i)
	}
	return nil
}

// some reads names of which there has to be one.
func (c *call) some(words []string) ([]name.Pattern, error) {
	if len(words) == 0 {
		return nil, kernel.Errorf(kernel.Usage, `Which processes? "*" is all of them`)
	}
	return c.patterns(words)
}

func removeProcesses(_ context.Context, c *call) error {
	patterns, err := c.some(c.args)
	if err != nil {
		return err
	}
	return c.conn.server.processes.Remove(c.owner, patterns)
}

func signalProcesses(_ context.Context, c *call) error {
	if err := c.wants(1, -1); err != nil {
		return err
	}
	number, err := child.ParseSignal(c.args[0])
	if err != nil {
		return err
	}
	patterns, err := c.some(c.args[1:])
	if err != nil {
		return err
	}
	return c.conn.server.processes.Signal(c.owner, patterns, number)
}

const (
	defaultGrace = 10 * time.Second
	mostGrace    = time.Hour
)

func stopProcesses(ctx context.Context, c *call) error {
	options, words, err := settings(c.args, "grace")
	if err != nil {
		return err
	}
	grace := defaultGrace
	if text, ok := options["grace"]; ok {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n >= 0 && n <= mostGrace.Seconds()) {
			return kernel.Errorf(kernel.Usage, "grace=%s: it must be a number of seconds up to %.0f", line.Quote(shorten(text)), mostGrace.Seconds())
		}
		grace = time.Duration(n * float64(time.Second))
	}
	patterns, err := c.some(words)
	if err != nil {
		return err
	}
	return c.conn.server.processes.Stop(ctx, c.owner, patterns, grace)
}

func sendProcess(ctx context.Context, c *call) error {
	if err := c.wants(2, 2); err != nil {
		return err
	}
	pattern, err := name.Parse("process", c.args[0])
	if err != nil || pattern.Wild() {
		return kernel.Errorf(kernel.Usage, "One process is needed, by its name")
	}
	return c.conn.server.processes.Send(ctx, c.owner, pattern, []byte(c.args[1]), time.Now().Add(patience))
}

// endProcesses ends what this process has to do with processes. They go on, without anybody who hears them; only those of a
// kernel within another program end with it.
func (s *Server) endProcesses() {
	if s.options.Link == nil {
		s.processes.Kill()
	}
	s.processes.Close()
}
