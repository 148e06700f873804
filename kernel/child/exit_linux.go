package child

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// tellWait is how long the holder may take to say how a process has ended whose parent it is.
const tellWait = 10 * time.Second

// resources are what can be limited, by their names in papa and in getrlimit(2).
var resources = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA, "fsize": unix.RLIMIT_FSIZE,
	"locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE,
	"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

// listen has the streams heard. A process's own are before it starts, so that what comes is in its order. The caller has
// the lock.
func (p *process) listen() {
	for s, pipe := range p.pipes {
		if pipe != nil {
			p.streams++
			p.observe(source(s), pipe)
		}
	}
}

// begin has what a running process prints recorded, and its end heard. The caller has the lock.
func (p *process) begin() {
	p.flowOn()
	if p.pidfd == nil { // it was gone when this server came
		p.table.work.Go(p.learn)
		return
	}
	p.observe(theEnd, p.pidfd)
}

// observe has a change of a descriptor heard. If there is no memory for that, or as many are watched as this user may, it is
// tried until there is: nothing is lost meanwhile. The caller has the lock.
func (p *process) observe(s source, f *os.File) {
	err := p.table.lookout.add(p, s, f)
	if err == nil || errors.Is(err, os.ErrClosed) {
		return
	}
	p.table.complain(p.spec.Name, true, err)
	time.AfterFunc(fullWait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.gone && !p.table.closing.Load() {
			p.observe(s, f)
		}
	})
}

// died takes note of how the process has ended. Only then is it reaped: a server that dies in between has lost nothing,
// because the holder reaps it, or the next server reads what was noted.
func (p *process) died() {
	if p.heard { // it was reaped
		return
	}
	p.heard = true
	code, err := ownChild(p.pidfd)
	switch {
	case errors.Is(err, os.ErrClosed): // this server ends, or nobody wants to know any more
		return
	case err != nil:
		p.table.work.Go(p.learn)
		return
	}
	p.finish(exit{Code: code, Known: true, At: time.Now()})
	_, _ = syscall.Wait4(p.run.PID, nil, syscall.WNOHANG, nil)
}

// learn takes note of how a process has ended that is not this server's child.
func (p *process) learn() {
	code, known := p.ask()
	p.finish(exit{Code: code, Known: known, At: time.Now()})
	_ = p.table.link.Forget(p.run.Process)
}

// ownChild is how a child of this process has ended, which stays a zombie; os.ErrClosed if its descriptor is closed.
func ownChild(pidfd *os.File) (code int, err error) {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return 0, err
	}
	var info unix.Siginfo
	failed := raw.Control(func(fd uintptr) {
		for {
			err = unix.Waitid(unix.P_PIDFD, int(fd), &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
			if err != unix.EINTR {
				return
			}
		}
	})
	if failed != nil { // Control fails for nothing else
		return 0, os.ErrClosed
	}
	if err != nil {
		return 0, err
	}
	status := int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), 20+(unsafe.Sizeof(uintptr(0))-4)))) // behind the pid and the uid
	const exited = 1                                                                              // CLD_EXITED
	if info.Code != exited {
		status = -status
	}
	return status, nil
}

// codeOf is the exit code in a status of wait(2), or minus the number of the signal.
func codeOf(status int) int {
	s := syscall.WaitStatus(status)
	if s.Signaled() {
		return -int(s.Signal())
	}
	return s.ExitStatus()
}

// ask finds out how it has ended.
func (p *process) ask() (code int, known bool) {
	select {
	case e := <-p.told:
		return codeOf(e.Status), true
	default:
	}
	if p.reaper || p.pidfd != nil && parentOf(p.run.PID) == p.table.reaper {
		select {
		case e := <-p.told:
			return codeOf(e.Status), true
		case <-time.After(tellWait):
		}
	}
	g := p.guess()
	return g.Code, g.Known
}

// guess asks the system about a process that somebody else has reaped, or will. What nobody knows is not made up.
func (p *process) guess() exit {
	if p.pidfd != nil {
		if status, ok := holder.EndOf(p.pidfd, p.run.Process); ok {
			return exit{Code: codeOf(status), Known: true, At: time.Now()}
		}
	}
	return exit{At: time.Now()}
}

func parentOf(pid int) int {
	if f := holder.StatOf(pid); len(f) > 1 {
		n, _ := strconv.Atoi(string(f[1]))
		return n
	}
	return 0
}

// finish takes note of an end.
func (p *process) finish(e exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.exit != nil {
		return
	}
	if err := p.write(entry{Exit: &e}); err != nil {
		p.table.log.Error("a server that follows will not know how a process has ended", "process", p.spec.Name, "error", err)
	} else {
		p.table.link.Spare(held(p.key)) // the number is no longer needed, and the pipes it has
	}
	p.exit = &e
	p.tell("exit", "exitcode="+e.text())
	p.hurry()
	close(p.ended)
	p.settle()
	p.changed()
}

// text is the code as the protocol says it.
func (e *exit) text() string {
	if !e.Known {
		return kernel.UnknownExit
	}
	return strconv.Itoa(e.Code)
}

// hurry gives the streams of a process that has ended some time to end, too.
func (p *process) hurry() {
	if p.streams == 0 || p.gone {
		return
	}
	p.lingers = time.AfterFunc(linger, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.streams == 0 || p.gone || p.table.closing.Load() {
			return
		}
		if p.waiting.Load() > 0 { // it is not that somebody else has them: what the process has printed is still there
			p.lingers.Reset(linger)
			return
		}
		p.late = true
		p.settle()
		p.changed()
	})
}

// signal sends a signal to the process and to all in its group.
func (p *process) signal(s unix.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit != nil || p.pidfd == nil || p.gone {
		return nil
	}
	raw, err := p.pidfd.SyscallConn()
	if err != nil {
		return nil // it is being closed: it has ended
	}
	failed := raw.Control(func(fd uintptr) {
		if err = unix.PidfdSendSignal(int(fd), s, nil, unix.PIDFD_SIGNAL_PROCESS_GROUP); err != unix.EINVAL {
			return
		}
		// Before Linux 6.9. If it is there, or a zombie, its number is still its own.
		if err = unix.PidfdSendSignal(int(fd), 0, nil, 0); err == nil {
			err = unix.Kill(-p.run.PID, s)
		}
	})
	switch {
	case failed != nil, err == unix.ESRCH:
		return nil
	case err != nil:
		return kernel.Errorf(kernel.Failed, "process %s: signal %s: %v", p.spec.Name, unix.SignalName(s), err)
	}
	return nil
}
