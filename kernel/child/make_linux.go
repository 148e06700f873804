package child

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/trampoline"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// A Start is what a process needs besides its Spec: what the names of sockets in that stand for.
type Start struct {
	Args  []string   // with descriptors and ports in them
	Files []*os.File // its descriptors from 3 on; they stay the caller's
	Count int        // how many of these are for LISTEN_FDS: the first ones
	Env   []string   // what goes with that
}

// Make starts a process, or finds the one that was started with the same Spec under the same name. Prepare is called for
// one that has to be started; what it returns is given up after use.
func (t *Table) Make(spec Spec, prepare func() (Start, func(), error)) (Info, error) {
	if err := spec.check(); err != nil {
		return Info{}, err
	}
	t.starts.RLock()
	defer t.starts.RUnlock()
	p, mine, err := t.claim(spec)
	if err != nil {
		return Info{}, err
	}
	if !mine {
		<-p.made
		return p.same(spec)
	}
	err = p.launch(prepare)
	p.failed = err
	if err != nil {
		t.forget(p)
	}
	close(p.made)
	if err != nil {
		return Info{}, err
	}
	t.announce(p)
	return p.info(), nil
}

// claim takes the name, or finds who has it.
func (t *Table) claim(spec Spec) (p *process, mine bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := keyOf(spec.Owner, spec.Name)
	if p := t.processes[key]; p != nil {
		return p, false, nil
	}
	if t.closing.Load() {
		return nil, false, kernel.Errorf(kernel.Unavailable, "process %s: the kernel is about to end", spec.Name)
	}
	if t.counts[spec.Owner] >= MaxProcesses {
		return nil, false, kernel.Errorf(kernel.Limit, "process %s: you have %d already, which is all that there may be; take what those have left that have ended, or remove them",
			spec.Name, MaxProcesses)
	}
	p = newProcess(t, spec)
	t.processes[key] = p
	t.counts[spec.Owner]++
	return p, true, nil
}

// same is what a second one gets who asks for a name.
func (p *process) same(spec Spec) (Info, error) {
	if p.failed != nil {
		return Info{}, p.failed
	}
	i := p.info()
	if p.removed {
		return Info{}, kernel.Errorf(kernel.Exists, "Process %s has been removed, and the name is free when it has ended; it is process %d", spec.Name, i.PID)
	}
	if !reflect.DeepEqual(i.Spec, spec) {
		return Info{}, kernel.Errorf(kernel.Exists, "Process for %s has already been created with other parameters: it is process %d, %s",
			spec.Name, i.PID, strings.Join(i.Spec.Args, " "))
	}
	return i, nil
}

// launch starts the process. When it fails, nothing is left.
func (p *process) launch(prepare func() (Start, func(), error)) (err error) {
	s, done, err := prepare()
	if err != nil {
		return err
	}
	defer done()
	id, err := p.identity()
	if err != nil {
		return err
	}
	path, err := p.find(s.Args)
	if err != nil {
		return err
	}
	if p.record, err = p.table.shelf.take(p.key + extRecord); err != nil {
		return kernel.Errorf(kernel.Failed, "process %s: its record: %v", p.spec.Name, err)
	}
	defer func() {
		if err != nil {
			p.undo()
		}
	}()
	if err := p.write(entry{Version: recordVersion, Spec: &p.spec}); err != nil {
		return err
	}
	its, made, err := p.connect()
	if err != nil {
		return kernel.Errorf(kernel.Failed, "process %s: %v", p.spec.Name, err)
	}
	defer closeFiles(made)
	if err := p.keep(); err != nil { // before there is anything that could be lost
		return err
	}
	p.mu.Lock()
	p.listen()
	p.mu.Unlock()
	if err := p.spawn(path, s, append(its[:], s.Files...), id); err != nil {
		return err
	}
	p.tell("start", "") // before its end can be told
	p.mu.Lock()
	p.begin()
	p.mu.Unlock()
	return nil
}

// undo removes the traces of a process that could not be started.
func (p *process) undo() {
	p.record.Close()
	_ = p.table.dir.remove(p.key + extRecord)
	p.table.link.DropLater(held(p.key)) // the holder may be what it failed of
	p.release()
}

// connect makes the streams; the result is what the process gets as 0, 1 and 2, and what of that has to be closed.
func (p *process) connect() (its [3]*os.File, made []*os.File, err error) {
	nowhere, err := null()
	open := func(where string, mine **os.File, reads bool) *os.File {
		if err != nil || where != Pipe {
			return nowhere
		}
		var end *os.File
		if *mine, end, err = pipe(reads); err == nil {
			made = append(made, end)
		}
		return end
	}
	its[0] = open(p.spec.Stdin, &p.stdin, false)
	its[1] = open(p.spec.Stdout, &p.pipes[fromOut], true)
	if p.spec.Stderr == Merged {
		its[2] = its[1]
	} else {
		its[2] = open(p.spec.Stderr, &p.pipes[fromErr], true)
	}
	if err != nil {
		closeFiles(made)
	}
	return its, made, err
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// keep has the holder keep the descriptors.
func (p *process) keep() error {
	if err := p.table.link.Keep(p.belongings()); err != nil {
		return kernel.Errorf(kernel.Failed, "process %s: %v", p.spec.Name, err)
	}
	return nil
}

// belongings are the descriptors. The note has a letter for each of them.
func (p *process) belongings() holder.Held {
	h := holder.Held{Key: held(p.key), Who: p.run.Process}
	for _, part := range []struct {
		letter byte
		file   *os.File
	}{{'P', p.pidfd}, {'I', p.stdin}, {'O', p.pipes[fromOut]}, {'E', p.pipes[fromErr]}} {
		if part.file != nil {
			h.Note, h.Files = append(h.Note, part.letter), append(h.Files, part.file)
		}
	}
	return h
}

// spawn starts the program.
func (p *process) spawn(path string, s Start, files []*os.File, id *syscall.Credential) error {
	pidfd, env, argv := -1, p.spec.Env, s.Args
	sys := &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd, Credential: id}
	if p.spec.Shell {
		argv = []string{shell, "-c", strings.Join(s.Args, " ")}
	}
	if env == nil {
		env = []string{} // nil would be this process's own
	}
	var pid int
	var err error
	began := holder.Ticks()
	if len(p.spec.Limits) == 0 && s.Count == 0 {
		pid, err = forkExec(path, argv, &syscall.ProcAttr{Dir: p.spec.Dir, Env: env, Sys: sys}, files)
	} else {
		pid, err = p.hop(path, argv, s, os.ProcAttr{Dir: p.spec.Dir, Env: env, Files: files, Sys: sys})
	}
	if err != nil {
		return badCommand(argv[0], err)
	}
	if began == 0 || began != holder.Ticks() { // before the end of a tick, or behind it
		began = holder.StartOf(pid)
	}
	p.run = run{Process: holder.Process{PID: pid, Start: began}, Boot: p.table.boot, At: time.Now(),
		UID: os.Geteuid(), GID: os.Getegid()}
	if id != nil {
		p.run.UID, p.run.GID = int(id.Uid), int(id.Gid)
	}
	if pidfd < 0 {
		if pidfd, err = unix.PidfdOpen(pid, 0); err != nil { // our child, not reaped: nobody else has its number
			return kernel.Errorf(kernel.Failed, "process %s: %v", p.spec.Name, os.NewSyscallError("pidfd_open", err))
		}
	}
	p.pidfd = os.NewFile(uintptr(pidfd), "pidfd")
	p.pid.Store(int64(pid))
	p.start.Store(p.run.Start)
	if err := p.write(entry{Run: &p.run}); err != nil {
		p.table.log.Error("a server that follows will not know a process", "process", p.spec.Name, "error", err)
	}
	p.table.link.KeepLater(p.belongings()) // most that end soon the holder never hears of
	return nil
}

// hop starts the program by way of a copy of this one, for what the system cannot do between fork and exec.
func (p *process) hop(path string, argv []string, s Start, attr os.ProcAttr) (pid int, err error) {
	o := &trampoline.Orders{Path: path, Argv: argv, Env: attr.Env, Dir: attr.Dir, Umask: -1}
	for _, word := range slices.Sorted(maps.Keys(p.spec.Limits)) {
		n := p.spec.Limits[word]
		o.Limits = append(o.Limits, trampoline.Limit{Name: word, Resource: resources[word], Soft: n, Hard: n})
	}
	if s.Count > 0 {
		o.Env = slices.Concat(o.Env, s.Env)
		o.OwnPID = "LISTEN_PID"
	}
	if c := attr.Sys.Credential; c != nil {
		o.Identity = &trampoline.Identity{UID: c.Uid, GID: c.Gid, Groups: c.Groups}
		attr.Sys.Credential = nil
	}
	proc, err := trampoline.Start(o, attr)
	if err != nil {
		return 0, err
	}
	pid = proc.Pid
	return pid, proc.Release() // await waits
}

// forkExec is os.StartProcess without the os.Process, which this package waits for in its own way.
func forkExec(path string, argv []string, attr *syscall.ProcAttr, files []*os.File) (pid int, err error) {
	if len(files) > 0 {
		raw, err := files[0].SyscallConn()
		if err != nil {
			return 0, err
		}
		failed := raw.Control(func(fd uintptr) {
			attr.Files = append(attr.Files, fd)
			pid, err = forkExec(path, argv, attr, files[1:])
		})
		return pid, errors.Join(failed, err)
	}
	pid, _, err = syscall.StartProcess(path, argv, attr)
	return pid, err
}

func badCommand(word string, err error) error {
	cause := err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	var step *trampoline.Error
	if errors.As(err, &step) {
		return kernel.Errorf(kernel.Failed, "Bad command - %s: %s: %v", word, step.Step, cause)
	}
	return kernel.Errorf(kernel.Failed, "Bad command - %s: %v", word, cause)
}

const shell = "/bin/sh"

// defaultPath is where programs are looked for when the process's environment has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// find returns the file of the program, and looks whether the directory is one.
func (p *process) find(args []string) (string, error) {
	if p.spec.Dir != "" {
		if info, err := os.Stat(p.spec.Dir); err != nil {
			return "", kernel.Errorf(kernel.Failed, "Bad working_dir - %v", err)
		} else if !info.IsDir() {
			return "", kernel.Errorf(kernel.Failed, "Bad working_dir - %s is not a directory", p.spec.Dir)
		}
	}
	if p.spec.Shell {
		return shell, nil
	}
	word := args[0]
	if strings.Contains(word, "/") {
		return word, nil
	}
	path := defaultPath
	for _, v := range p.spec.Env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // where that is depends on whoever asks
		}
		if file, err := exec.LookPath(filepath.Join(dir, word)); err == nil {
			return file, nil
		}
	}
	return "", kernel.Errorf(kernel.Failed, "Bad command - %s: not found in PATH, which is %s", word, path)
}

// identity is who the process runs as; nil: as the kernel.
func (p *process) identity() (*syscall.Credential, error) {
	if p.spec.UID == nil && p.spec.GID == nil {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, kernel.Errorf(kernel.Denied, "process %s: uid and gid need a kernel that runs as root; this one runs as %d", p.spec.Name, os.Geteuid())
	}
	c := &syscall.Credential{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}
	if p.spec.UID != nil {
		c.Uid, c.Gid = uint32(*p.spec.UID), uint32(*p.spec.UID)
		if u, err := user.LookupId(strconv.Itoa(*p.spec.UID)); err == nil {
			if gid, err := strconv.ParseUint(u.Gid, 10, 32); err == nil {
				c.Gid = uint32(gid)
			}
			c.Groups = groupsOf(u)
		}
	}
	if p.spec.GID != nil {
		c.Gid = uint32(*p.spec.GID)
	}
	if len(c.Groups) == 0 {
		c.Groups = []uint32{c.Gid}
	}
	return c, nil
}

func groupsOf(u *user.User) (groups []uint32) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			groups = append(groups, uint32(n))
		}
	}
	return groups
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("no /proc here: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}

func mine(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
