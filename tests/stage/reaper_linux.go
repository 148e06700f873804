package stage

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A reaper collects the orphans of the namespace, which all become children of its first process, and keeps off the
// children that this process started itself: those are waited for where they were started.
type reaper struct {
	mu  sync.Mutex // guards own, and is held while a child starts, so that it cannot end before it is known
	own map[int]bool
}

func newReaper() *reaper {
	r := &reaper{own: map[int]bool{}}
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		for range died {
			r.reap()
		}
	}()
	return r
}

func (r *reaper) reap() {
	list, err := processes()
	if err != nil {
		return // the next child that dies brings the next chance
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range list {
		if p.PPID == os.Getpid() && p.State == "Z" && !r.own[p.PID] {
			var status unix.WaitStatus
			_, _ = unix.Wait4(p.PID, &status, unix.WNOHANG, nil)
		}
	}
}

// start starts a child that the caller waits for. Its number stays taken: numbers come round too late to matter.
func (r *reaper) start(cmd *exec.Cmd) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	r.own[cmd.Process.Pid] = true
	return nil
}

// output runs a short command and returns all that it printed.
func (r *reaper) output(cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	if err := r.start(cmd); err != nil {
		return nil, err
	}
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	return out.Bytes(), err
}

// outputAs is output as another user.
func (r *reaper) outputAs(cmd *exec.Cmd, uid, gid int) ([]byte, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{uint32(gid)}},
	}
	return r.output(cmd)
}
