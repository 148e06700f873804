package worker

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	lookAgain   = 50 * time.Millisecond // between two looks at a worker that should end
	extraGrace  = 500 * time.Millisecond
	deathWait   = 2 * time.Second // for a killed worker to be gone
	shortCall   = 20 * time.Millisecond
	heartMisses = 8
)

// A guardian watches one worker.
type guardian struct {
	worker    int // pid
	pidfd     int
	control   int           // socket to the worker
	wake      int           // readable when a signal came
	came      atomic.Uint64 // a bit for each signal that came
	status    syscall.WaitStatus
	exited    bool // then status says how
	grace     time.Duration
	heartbeat time.Duration // 0: the worker does not beat
	beat      bool          // it has, since the last tick
	missed    int
	tick      time.Time // when the next beat should have come
	deadline  time.Time // when a worker that should end is killed; zero while it need not end
}

// watch returns when the worker has ended, or has to be ended. For a short call it does nothing but wait, since it would
// only be in the worker's way: a signal in that time ends the guardian, and that, the worker.
func (g *guardian) watch() {
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(g.pidfd), Events: unix.POLLIN}}, int(shortCall/time.Millisecond)); n > 0 && err == nil {
		return
	}
	g.leaveInherited()
	g.heedSignals()
	fds := []unix.PollFd{
		{Fd: int32(g.pidfd), Events: unix.POLLIN},
		{Fd: int32(g.control), Events: unix.POLLIN},
		{Fd: int32(g.wake), Events: unix.POLLIN},
		{Fd: 0, Events: unix.POLLRDHUP}, // and POLLHUP, but never POLLIN: what comes there is the worker's
	}
	for fds[0].Revents == 0 {
		n, err := unix.Poll(fds, g.timeout())
		if err != nil && err != unix.EINTR {
			return
		}
		if n > 0 && fds[1].Revents != 0 && !g.hear() {
			fds[1].Fd = -1
		}
		if n > 0 && fds[2].Revents != 0 {
			g.relay()
		}
		if n > 0 && fds[3].Revents != 0 {
			fds[3].Fd = -1
			g.expectEnd()
		}
		if g.over(time.Now()) {
			return
		}
	}
}

// leaveInherited closes what is the worker's, or nobody's.
func (g *guardian) leaveInherited() {
	if null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil && null != 1 {
		_ = replace(null, 1)
		_ = unix.Close(null)
	}
	closeInherited()
}

// heedSignals has signals wake the poll.
func (g *guardian) heedSignals() {
	var err error
	if g.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		g.wake = -1
		return
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	go func() { // ends with the process
		one := binary.NativeEndian.AppendUint64(nil, 1)
		for s := range signals {
			g.came.Or(1 << s.(syscall.Signal))
			_, _ = unix.Write(g.wake, one)
		}
	}()
}

// relay passes signals on to the worker, as sudo passed them on to here.
func (g *guardian) relay() {
	var count [8]byte
	_, _ = unix.Read(g.wake, count[:])
	came := g.came.Swap(0)
	for s := unix.Signal(1); s < 64; s++ {
		if came&(1<<s) == 0 {
			continue
		}
		if s == unix.SIGHUP || s == unix.SIGINT || s == unix.SIGTERM {
			g.expectEnd()
		}
		_ = unix.PidfdSendSignal(g.pidfd, s, nil, 0)
	}
}

// timeout is how long nothing need be done, in milliseconds; -1 for ever.
func (g *guardian) timeout() int {
	wait := time.Duration(-1)
	if !g.deadline.IsZero() {
		wait = min(lookAgain, max(time.Until(g.deadline), 0))
	}
	if g.heartbeat > 0 {
		if tick := max(time.Until(g.tick), 0); wait < 0 || tick < wait {
			wait = tick
		}
	}
	if wait < 0 {
		return -1
	}
	return int((wait + time.Millisecond - 1) / time.Millisecond)
}

// hear takes in what the worker says; false if nothing more will come. It may lie: what it says is bounded.
func (g *guardian) hear() bool {
	var word [wordSize + 1]byte
	for {
		n, _, err := unix.Recvfrom(g.control, word[:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			return true
		case err != nil || n == 0:
			return false
		case n != wordSize:
			continue
		}
		d := time.Duration(min(binary.BigEndian.Uint64(word[1:]), uint64(maxGrace)))
		switch g.beat = true; word[0] {
		case sayGrace:
			g.grace = d
		case sayHeartbeat:
			g.heartbeat = max(d, lookAgain)
			g.tick = time.Now().Add(g.heartbeat)
		}
	}
}

// expectEnd gives the worker its grace, and a little more, to end by itself.
func (g *guardian) expectEnd() {
	if g.deadline.IsZero() {
		g.deadline = time.Now().Add(g.grace + extraGrace)
	}
}

// over reports whether the worker has to be killed: it had its time to end, it cannot use it because it is stopped, or
// its heart stands still. Missing beats are counted in ticks, not in time: when this process was suspended itself, or the
// machine, that was one tick.
func (g *guardian) over(now time.Time) bool {
	if g.heartbeat > 0 && !now.Before(g.tick) {
		g.tick = now.Add(g.heartbeat)
		g.missed++
		if g.beat {
			g.missed, g.beat = 0, false
		}
		if g.missed >= heartMisses {
			fmt.Fprintf(os.Stderr, "deliveryboy guardian: the worker was silent for %s, and was killed\n", heartMisses*g.heartbeat)
			return true
		}
	}
	return !g.deadline.IsZero() && (!now.Before(g.deadline) || stopped(g.worker))
}

// end kills what there is of the worker and of all that it started.
func (g *guardian) end() {
	_ = unix.PidfdSendSignal(g.pidfd, unix.SIGKILL, nil, 0) // one that has ended keeps its status
	for deadline := time.Now().Add(deathWait); time.Now().Before(deadline); {
		pid, err := syscall.Wait4(g.worker, &g.status, syscall.WNOHANG, nil)
		if g.exited = pid == g.worker; g.exited || err != nil && err != syscall.EINTR {
			break
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(g.pidfd), Events: unix.POLLIN}}, int(lookAgain/time.Millisecond))
	}
	endTree()
}

// mirror ends this process as the worker ended, so that the transport tells the caller.
func (g *guardian) mirror() {
	switch {
	case !g.exited:
		syscall.Exit(exitUnavailable)
	case g.status.Exited():
		syscall.Exit(g.status.ExitStatus())
	}
	dieOf(g.status.Signal())
}

// dieOf ends this process by a signal. Go's own handler for some would print that the program crashed. The first process
// of a namespace does not die of a signal of its own: it ends with a shell's code for that.
func dieOf(sig syscall.Signal) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	var standard [32]byte // a struct sigaction of zeros: the system's own way with the signal
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&standard)), 0, 8, 0, 0)
	_ = unix.Kill(os.Getpid(), sig)
	time.Sleep(time.Second)
	syscall.Exit(128 + int(sig))
}
