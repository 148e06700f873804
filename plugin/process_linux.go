package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
)

// A process is one that is not this one's child, held by a pidfd: whoever may get its number, it stays the one that was
// opened. It may be another user's; then it can be waited for, but not signalled.
type process struct {
	file  *os.File
	raw   syscall.RawConn
	ended chan struct{} // closed when the process has ended
	watch sync.WaitGroup
}

// openProcess finds the process with that number and that start; if there is none, the error is ErrGone.
func openProcess(pid int, started uint64) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("%w: there is no process %d", ErrGone, pid)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true) // so that waiting for it takes no thread
	}
	if err != nil {
		return nil, fmt.Errorf("plugin: process %d: %w", pid, err)
	}
	p := &process{file: os.NewFile(uintptr(fd), "pidfd"), ended: make(chan struct{})}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("plugin: process %d: %w", pid, err)
	}
	// The number is that of the process behind the descriptor for as long as that has not ended.
	is, err := startOf(pid)
	if err != nil || is != started || p.over() {
		_ = p.file.Close()
		return nil, fmt.Errorf("%w: process %d is another one, or has ended", ErrGone, pid)
	}
	p.watch.Go(func() {
		if err := p.raw.Read(overAt); err == nil {
			close(p.ended)
		}
	})
	return p, nil
}

// overAt reports whether the process of a pidfd has ended.
func overAt(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}

func (p *process) over() bool {
	var over bool
	err := p.raw.Control(func(fd uintptr) { over = overAt(fd) })
	return err != nil || over
}

// kill sends SIGKILL to this very process.
func (p *process) kill() error {
	var sent error
	err := p.raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), unix.SIGKILL, nil, 0) })
	if err == nil {
		err = sent
	}
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// close lets go of the process.
func (p *process) close() {
	_ = p.file.Close()
	p.watch.Wait()
}

// startOf is when a process started, in clock ticks since the boot: the 22nd field of "pid (any text) state ppid …".
func startOf(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const start = 22 - 3 // the third is the first behind the text
	if len(fields) <= start {
		return 0, fmt.Errorf("plugin: /proc/%d/stat has %d fields", pid, len(fields)+2)
	}
	return strconv.ParseUint(string(fields[start]), 10, 64)
}

// isPlugin reports whether a process is a detached plugin of the user that this one is: of this build or of another.
func isPlugin(pid int) bool {
	dir := fmt.Sprintf("/proc/%d", pid)
	argv, err := os.ReadFile(dir + "/cmdline")
	words := bytes.Split(argv, []byte{0})
	var s unix.Stat_t
	return err == nil && len(words) > 2 && string(words[1]) == detached.Verb && string(words[2]) == role &&
		unix.Stat(dir, &s) == nil && int(s.Uid) == os.Geteuid()
}

// bootOf says which boot of which machine this is.
func bootOf() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
}

// peerOf says who listens at the other end of a unix socket.
func peerOf(raw syscall.RawConn) (pid, uid int, err error) {
	var peer *unix.Ucred
	failed := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(failed, err); err != nil {
		return 0, 0, err
	}
	return int(peer.Pid), int(peer.Uid), nil
}
