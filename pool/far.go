package pool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/registry"
)

const (
	runName   = "deliveryboy.pool.run"
	titleName = "deliveryboy.pool.title"
)

// functions are what runs in workers of pools.
type functions struct {
	title registry.Func[func(context.Context, string) error]
	run   registry.Func[func(context.Context, Order) (Output, error)]
}

var registered struct {
	sync.Mutex
	functions *functions
}

// ErrNotRegistered says that the program did not call [Register].
var ErrNotRegistered = errors.New("pool: this program does not let workers run commands: call pool.Register() before delivery.Main")

// Register registers what commands need in workers: call it before delivery.Main, in every copy of a program that is to
// serve or run commands. It is like process.Register, which it calls: a worker that is not narrowed to other functions runs
// anything then as its user, which is why the import of this package does not do it. To register again does nothing.
func Register() {
	registered.Lock()
	defer registered.Unlock()
	if registered.functions == nil {
		process.Register()
		registered.functions = &functions{
			title: registry.Register(titleName, entitle, registry.Rules{Doc: "name a worker of a pool, for ps and top"}),
			run:   registry.Register(runName, run, registry.Rules{Doc: "run a command to its end, and return what it wrote"}),
		}
	}
}

func far() (*functions, bool) {
	registered.Lock()
	defer registered.Unlock()
	return registered.functions, registered.functions != nil
}

// An Order is a command that is run to its end.
type Order struct {
	Argv  []string // without a slash in its first word, that is looked for in PATH
	Shell string   // a line for /bin/sh, instead of Argv
	Stdin []byte
	Dir   string   // empty: the worker's, which is "/" unless the pool says otherwise
	Env   []string // "NAME=value", over the worker's own
	Merge bool     // stdout and stderr in one, as they come
	Limit int64    // bytes that are kept of each; what is over is counted; 0: 32 MiB; at most 64 MiB
}

// An Output is what came of a command.
type Output struct {
	Stdout, Stderr []byte
	Dropped        int64  // bytes over the limit
	Code           int    // the exit code; -1 if a signal ended it
	Signal         string // that ended it, such as "SIGKILL"; empty if it exited
}

const (
	defaultLimit = 32 << 20
	maxLimit     = 64 << 20
)

// run is the far side of Client.Run.
func run(ctx context.Context, o Order) (Output, error) {
	cfg, err := o.config()
	if err != nil {
		return Output{Code: -1}, err
	}
	var out, errs kept
	out.left = o.Limit
	if o.Limit == 0 {
		out.left = defaultLimit
	}
	errs.left = out.left
	streams := process.Stdio{Stdout: &out, Stderr: &errs}
	if o.Merge {
		streams.Stderr = &out
	}
	if len(o.Stdin) > 0 {
		streams.Stdin = bytes.NewReader(o.Stdin)
	}
	state, err := process.Run(ctx, cfg, streams)
	return Output{Stdout: out.bytes, Stderr: errs.bytes, Dropped: out.dropped + errs.dropped, Code: state.Code, Signal: state.Signal}, err
}

func (o *Order) config() (process.Config, error) {
	c := process.Config{Argv: o.Argv, Dir: o.Dir}
	switch {
	case (len(o.Argv) == 0) == (o.Shell == ""):
		return c, errors.New("pool: command: give one of Argv and Shell")
	case o.Limit < 0 || o.Limit > maxLimit:
		return c, fmt.Errorf("pool: command: field Limit %d: it must be between 0 and %d", o.Limit, maxLimit)
	case o.Shell != "":
		c.Cmdline, c.Shell = o.Shell, true
	}
	for _, entry := range o.Env {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			return c, fmt.Errorf("pool: command: variable %.100q: it has not the form NAME=value", entry)
		}
		if c.Env == nil {
			c.Env = map[string]string{}
		}
		c.Env[name] = value
	}
	return c, nil
}

// A kept is the beginning of what a command writes.
type kept struct {
	bytes         []byte
	left, dropped int64
}

func (k *kept) Write(p []byte) (int, error) {
	n := min(int64(len(p)), k.left)
	k.bytes = append(k.bytes, p[:n]...)
	k.left -= n
	k.dropped += int64(len(p)) - n
	return len(p), nil
}

// leastRead is the room for a read: most commands write less.
const leastRead = 512

// ReadFrom reads right into what is kept, without a buffer of its own: a command that writes nothing costs next to none.
func (k *kept) ReadFrom(r io.Reader) (total int64, err error) {
	var over []byte
	for {
		into := over
		if k.left > 0 {
			if cap(k.bytes)-len(k.bytes) < leastRead {
				k.bytes = slices.Grow(k.bytes, max(leastRead, len(k.bytes)))
			}
			into = k.bytes[len(k.bytes):cap(k.bytes)]
			into = into[:min(int64(len(into)), k.left)]
		} else if into == nil {
			over = make([]byte, 32<<10)
			into = over
		}
		n, err := r.Read(into)
		total += int64(n)
		if k.left > 0 {
			k.bytes = k.bytes[:len(k.bytes)+n]
			k.left -= int64(n)
		} else {
			k.dropped += int64(n)
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// entitle sets the name of this process's first thread, which is the one that ps shows. Where there is none, it does nothing.
func entitle(_ context.Context, title string) error {
	comm := "/proc/self/task/" + strconv.Itoa(os.Getpid()) + "/comm"
	if err := os.WriteFile(comm, []byte(title[:min(len(title), maxTitle)]), 0); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// maxTitle is how many bytes of a title Linux keeps.
const maxTitle = 15
