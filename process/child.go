package process

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/trampoline"
	"github.com/seed354a1416/deliveryboy/registry"
)

// A child is a process of this one.
type child struct {
	proc    *os.Process
	path    string
	started time.Time

	mu     sync.Mutex // is held while the child is reaped, and while its number is used
	ended  time.Time  // zero while it runs
	reaped bool
	last   gauge
	until  time.Time // when the grace of its group is over; zero if it was not told to end
}

// spawn starts the program of a Config, with the files as its descriptors 0, 1, …; nil is none. It has a session of its own,
// or, as a guest, a process group of its own in this process's session.
func spawn(c Config, files []*os.File, guest bool) (*child, error) {
	env := c.environ()
	words, err := c.words(env)
	if err != nil {
		return nil, err
	}
	path := words[0]
	if c.Program != "" {
		path = c.Program
	}
	if !strings.Contains(path, "/") {
		if path, err = exec.LookPath(path); err != nil {
			return nil, fmt.Errorf("process %q: %w", c.Name, err)
		}
	}
	o, attr, err := c.orders(env)
	if err != nil {
		return nil, err
	}
	attr.Files = files
	attr.Sys.Setsid, attr.Sys.Setpgid = !guest, guest
	closeOnExec()
	ch := &child{path: path, started: time.Now()}
	if o != nil {
		o.Path, o.Argv = path, words
		ch.proc, err = trampoline.Start(o, *attr)
	} else {
		ch.proc, err = os.StartProcess(path, words, attr)
	}
	if err != nil {
		return nil, c.notStarted(path, err)
	}
	return ch, nil
}

// orders says what the process is started as: through a trampoline, if there are orders for one.
func (c Config) orders(env []string) (*trampoline.Orders, *os.ProcAttr, error) {
	attr := &os.ProcAttr{Dir: c.Dir, Env: env, Sys: &syscall.SysProcAttr{}}
	id, err := c.identity()
	if err != nil {
		return nil, nil, err
	}
	limits, err := c.limits()
	if err != nil {
		return nil, nil, err
	}
	umask, err := c.umask()
	if err != nil {
		return nil, nil, err
	}
	if len(limits) == 0 && umask < 0 && c.Nice == 0 {
		if id != nil {
			attr.Sys.Credential = &syscall.Credential{Uid: id.UID, Gid: id.GID, Groups: id.Groups, NoSetGroups: id.KeepGroups}
		}
		return nil, attr, nil
	}
	if !registry.Sealed() {
		return nil, nil, c.wrong("umask, limits, nice", "they need a copy of this program, which has to begin with delivery.Main")
	}
	return &trampoline.Orders{Env: env, Dir: c.Dir, Umask: umask, Nice: c.Nice, Limits: limits, Identity: id}, attr, nil
}

// notStarted says what to do about a program that does not start.
func (c Config) notStarted(path string, err error) error {
	hint := ""
	var step *trampoline.Error
	switch {
	case errors.Is(err, syscall.EPERM) && (c.User != "" || c.Group != ""):
		hint = "; only root may change to another user or group"
	case errors.Is(err, syscall.EPERM) && errors.As(err, &step):
		hint = "; only root may go beyond a hard limit, or below the priority"
	case errors.Is(err, syscall.ENOENT) && c.Dir != "":
		hint = fmt.Sprintf("; is there a directory %q?", c.Dir)
	}
	return fmt.Errorf("process %q: start %q: %w%s", c.Name, path, err, hint)
}

// closeOnExec keeps descriptors that this process inherited, and that Go knows nothing of, from its children.
var closeOnExec = sync.OnceFunc(keepInherited)

// wait returns how the child ended, after its outputs have. With sweep, what is left of its group ends as well.
//
// The child is reaped last: as long as it is there, its number is its own, and the group of those who hold its outputs can
// be killed.
func (ch *child) wait(sweep bool, outputs func() error) (State, error) {
	var late error
	there := awaitEnd(ch.proc.Pid)
	if there {
		ch.left(sweep)
		late = outputs()
	}
	s, err := ch.reap(there)
	if !there {
		late = outputs()
	}
	return s, cmp.Or(err, late)
}

// left is called when the child has ended and is still there.
func (ch *child) left(sweep bool) {
	ch.hasEnded()
	sweep = ch.lastGrace() || sweep
	ch.mu.Lock()
	defer ch.mu.Unlock()
	killGroup(ch.proc.Pid, sweep)
}

// reap returns how the child ended. If it is not known to be there, it may still run.
func (ch *child) reap(there bool) (State, error) {
	pid := ch.proc.Pid
	for rest := time.Millisecond; ; rest = min(2*rest, reapPause) {
		if s, err, over := ch.reapNow(there); over {
			if err != nil {
				s = State{PID: pid, Code: -1, Started: ch.started, Ended: ch.ended}
				err = fmt.Errorf("process %d: how it ended is not known: %w", pid, err)
			}
			return s, err
		}
		time.Sleep(rest)
	}
}

// reapPause is how often a child is looked at whose end shows no other way.
const reapPause = 20 * time.Millisecond

// reapNow reaps the child with the lock held, so that nobody uses its number any more. One that may still run is not waited
// for meanwhile: it may be what is to be killed.
func (ch *child) reapNow(there bool) (s State, err error, over bool) { //nolint:revive // over is about both
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if there {
		ch.reaped = true
		ps, err := ch.proc.Wait()
		if err != nil {
			return s, err, true
		}
		return stateOf(ps, ch.started, ch.ended), nil, true
	}
	var how syscall.WaitStatus
	var used syscall.Rusage
	pid, err := syscall.Wait4(ch.proc.Pid, &how, syscall.WNOHANG, &used)
	if pid == 0 && err == nil || errors.Is(err, syscall.EINTR) {
		return s, nil, false
	}
	ch.ended, ch.reaped = time.Now(), true
	s = State{PID: pid, Code: how.ExitStatus(), Started: ch.started, Ended: ch.ended}
	s.User, s.System = time.Duration(used.Utime.Nano()), time.Duration(used.Stime.Nano())
	s.tell(how, &used)
	return s, err, true
}

func (ch *child) hasEnded() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.ended = time.Now()
}

// lastGrace lets the rest of a group that was told to end do so, up to its grace. It reports whether it was told.
func (ch *child) lastGrace() bool {
	for {
		ch.mu.Lock()
		until := ch.until
		ch.mu.Unlock()
		if until.IsZero() || !time.Now().Before(until) || !groupLives(ch.proc.Pid) {
			return !until.IsZero()
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// signal signals the child alone.
func (ch *child) signal(sig syscall.Signal) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.ended.IsZero() {
		return ErrDone
	}
	return ch.proc.Signal(sig)
}

// terminate tells the child's group to end, which those that are stopped hear when they go on. When the child has ended, the
// others have the rest of the grace.
func (ch *child) terminate(grace time.Duration) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.reaped {
		return ErrDone
	}
	ch.until = time.Now().Add(grace)
	if err := syscall.Kill(-ch.proc.Pid, syscall.SIGTERM); err != nil {
		return err
	}
	return syscall.Kill(-ch.proc.Pid, syscall.SIGCONT)
}

// kill ends the child and what is below it.
func (ch *child) kill() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.reaped {
		ch.until = time.Now()
		killTree(ch.proc.Pid, true)
	}
}
