package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
	"github.com/seed354a1416/deliveryboy/kernel/value"
)

func init() {
	register(&command{words: "upgrade", args: "[PROGRAM]", whole: true, run: upgrade, slow: true, pausable: true, help: `Go on as another program, for instance a newer one of the same name.
Nothing is lost: connections, watches, sockets, processes and values are there afterwards. PROGRAM is
an absolute path; without it, it is the file that this kernel was started from. If it does not work,
the one before goes on. For the kernel's own user and root.`})
	detached.Role(roleProbe, func([]string) int { return probe() })
}

// stateVersion is that of all that a server leaves to its successor: what the holder keeps, records, the journal.
const stateVersion = 1

// roleProbe has a program say whether it could go on.
const roleProbe = "kernel-probe"

// A probed is what it says.
type probed struct {
	Kernel int    // stateVersion
	Values int    // value.Version; programs of version 1 do not say it
	Build  string // which build it is, for people
}

func probe() int {
	if err := json.NewEncoder(os.Stdout).Encode(probed{stateVersion, value.Version, build.ID()}); err != nil {
		return 1
	}
	return 0
}

// probeWait is how long a program may take to say what it is.
const probeWait = 20 * time.Second

// An upgrading is where an upgrade is, for the next program.
type upgrading struct {
	From, To string // builds
	Program  string
	Error    string // why this process did not become the other one
}

// upgrade answers from the next program.
func upgrade(ctx context.Context, c *call) error {
	if len(c.resume) > 0 {
		return c.upgraded()
	}
	if err := c.wants(0, 1); err != nil {
		return err
	}
	s := c.conn.server
	if peer := c.conn.peer.UID; peer != 0 && peer != os.Geteuid() {
		return kernel.Errorf(kernel.Denied, "upgrade is for the kernel's own user, and root")
	}
	if s.options.Link == nil {
		return kernel.Errorf(kernel.Unavailable, "This kernel is part of another program, and becomes no other one")
	}
	path, err := programPath(c.args)
	if err != nil {
		return err
	}
	file, found, err := openProgram(ctx, path)
	if ctx.Err() != nil { // the kernel becomes another program meanwhile; that one begins anew
		if err == nil {
			file.Close()
		}
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	next, err := json.Marshal(upgrading{From: build.ID(), To: found.Build, Program: path})
	if err != nil {
		file.Close()
		return err
	}
	c.resume = next
	if !s.requestPause(func(list []paused) error {
		defer s.stay(file)
		return s.become(list, file)
	}) {
		file.Close()
		c.resume = nil
		if ctx.Err() == nil {
			return kernel.Errorf(kernel.Unavailable, "The kernel is about to end")
		}
		return context.Cause(ctx)
	}
	s.log.Info("becoming another program", "path", path, "build", found.Build)
	<-ctx.Done()
	return context.Cause(ctx)
}

// upgraded tells how it went.
func (c *call) upgraded() error {
	var u upgrading
	if err := json.Unmarshal(c.resume, &u); err != nil {
		return err
	}
	switch {
	case u.Error != "":
		return kernel.Errorf(kernel.Failed, "%s did not become the kernel: %s; the one before goes on", u.Program, u.Error)
	case c.conn.server.options.Past.Fallen:
		return kernel.Errorf(kernel.Failed, "%s did not get ready; the program before goes on, see the kernel's log", u.Program)
	}
	c.say("upgraded", "from="+u.From, "to="+build.ID(), "program="+u.Program)
	return nil
}

// noteFailure has the upgrade that was asked for on this connection say why it failed.
func (p *paused) noteFailure(err error) {
	for i, k := range p.Calls {
		var u upgrading
		if k.Words[0] == "upgrade" && json.Unmarshal(k.Resume, &u) == nil {
			u.Error = err.Error()
			p.Calls[i].Resume, _ = json.Marshal(u)
		}
	}
}

// programPath is the file to become.
func programPath(args []string) (string, error) {
	if len(args) > 0 {
		if !strings.HasPrefix(args[0], "/") {
			return "", kernel.Errorf(kernel.Usage, "upgrade: the program must be an absolute path")
		}
		return args[0], nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", kernel.Errorf(kernel.Failed, "upgrade: %v; name the program", err)
	}
	return strings.TrimSuffix(path, " (deleted)"), nil // another file has its name by now
}

// openProgram opens a program that may go on, and asks it whether it can. What is checked is what is started: the open file.
func openProgram(ctx context.Context, path string) (f *os.File, found probed, err error) {
	f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, found, kernel.Errorf(kernel.Failed, "upgrade: %v", err)
	}
	if err = checkProgram(f); err == nil {
		found, err = ask(ctx, f)
	}
	if err != nil {
		f.Close()
		return nil, found, kernel.Errorf(kernel.Failed, "upgrade: %s: %v", path, err)
	}
	return f, found, nil
}

func checkProgram(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return errors.New("it is no file")
	case !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return errors.New("it belongs neither to root nor to the kernel's user")
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("group or others can write to it (mode %04o)", info.Mode().Perm())
	case info.Mode().Perm()&0o111 == 0:
		return errors.New("it is not executable")
	}
	return nil
}

// ask starts a program to hear what it is.
func ask(ctx context.Context, f *os.File) (found probed, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/fd/3", detached.Verb, roleProbe)
	cmd.Args[0], cmd.Env, cmd.Dir, cmd.ExtraFiles = f.Name(), []string{}, "/", []*os.File{f}
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said answer
	cmd.Stdout = &said
	if err := cmd.Run(); err != nil { // it, and what it has started: nobody waits for that longer than WaitDelay
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("it has not said within %s what it is", probeWait)
		}
		return found, fmt.Errorf("it cannot be a kernel: %w", err)
	}
	if err := json.Unmarshal(said.text.Bytes(), &found); err != nil || found.Kernel == 0 {
		return found, errors.New("it is no program that could be a kernel: it imports kernel/server and calls delivery.Main")
	}
	if found.Kernel != stateVersion {
		return found, fmt.Errorf("it takes over state of version %d; this is version %d", found.Kernel, stateVersion)
	}
	if found.Values = max(found.Values, 1); found.Values < value.Version {
		return found, fmt.Errorf("it reads values of version %d; these are version %d", found.Values, value.Version)
	}
	return found, nil
}

// An answer is what a program says, up to a size. What is more is dropped, and makes it no JSON.
type answer struct{ text bytes.Buffer }

const mostAnswer = 64 << 10

func (a *answer) Write(p []byte) (int, error) {
	if room := mostAnswer - a.text.Len(); room > 0 {
		_, _ = a.text.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// become becomes the program. It returns only if that fails.
func (s *Server) become(list []paused, program *os.File) error {
	defer s.processes.Freeze()()
	if err := s.options.Link.Replace(program); err != nil {
		return err
	}
	failures := s.unkept.Load()
	if err := s.deposit(list); err != nil {
		return err
	}
	if err := s.options.Link.Keep(holder.Held{Key: upgradeKey}); err != nil {
		return err
	}
	if err := s.options.Link.Sync(); err != nil {
		return err
	}
	if s.unkept.Load() != failures {
		return errors.New("the holder cannot keep a connection; its log says why")
	}
	err := s.options.Link.Inherit()
	if err == nil {
		err = s.endings.deafen()
	}
	if err == nil {
		err = fmt.Errorf("exec: %w", syscall.Exec("/proc/self/fd/"+strconv.Itoa(int(program.Fd())), os.Args, os.Environ()))
		s.endings.hear()
	}
	s.options.Link.Disinherit()
	_ = s.options.Link.Drop(upgradeKey)
	return err
}

// stay has the holder start servers from this program again, and not from the other one.
func (s *Server) stay(other *os.File) {
	other.Close()
	own, err := os.Open("/proc/self/exe")
	if err == nil {
		err = errors.Join(s.options.Link.Replace(own), s.options.Link.Ready())
		own.Close()
	}
	if err != nil {
		s.log.Error("the holder may start the other program", "error", err)
	}
}

// lostHolder has this process become the holder, after its own has died.
func (s *Server) lostHolder() {
	if s.options.Link.HolderTerminated() {
		s.log.Info("the holder was told to end while it could not listen; ending")
		s.endings.end()
		return
	}
	s.log.Error("the holder has died; this process takes its place, and starts a server")
	s.requestPause(func(list []paused) error {
		defer s.processes.Freeze()()
		if err := s.deposit(list); err != nil {
			return err
		}
		if err := s.endings.deafen(); err != nil {
			return err
		}
		err := holder.Become(holder.Options{Argv: os.Args, Held: s.options.Link.Kept()})
		s.endings.hear()
		return err
	})
}

// listen hears what the holder says.
func (s *Server) listen() {
	s.options.Link.Listen(holder.Events{
		Exit:   s.processes.Ended,
		Failed: s.notKept,
		Lost:   s.lostHolder,
	})
}

// notKept hears that the holder cannot keep something.
func (s *Server) notKept(key, reason string) {
	s.unkept.Add(1)
	s.log.Error("the holder cannot keep something", "key", key, "error", reason)
}

// upgradeKey is kept while a server becomes another program.
const upgradeKey = "upgrade"

// renewHolder has the holder become the program that this server is, after an upgrade.
func (s *Server) renewHolder() {
	for _, h := range s.options.Past.Held {
		if h.Key != upgradeKey {
			continue
		}
		_ = s.options.Link.Drop(upgradeKey)
		if s.options.Past.Fallen {
			return
		}
		if err := s.options.Link.Renew(); err != nil {
			s.log.Error("the holder stays the program that it is", "error", err)
		}
	}
}
