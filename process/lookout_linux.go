package process

import (
	"cmp"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A lookout waits for a process and for what it prints, all at once: an epoll instance, for which a goroutine waits as for
// any file. A goroutine for each of them would have to be woken for each.
type lookout struct {
	file   *os.File // nil: there is none
	raw    syscall.RawConn
	fd     int
	sound  bool // nothing is left in it
	events [4]unix.EpollEvent
	buf    [32 << 10]byte
}

// lookouts are used again: nothing is in them then.
var lookouts = sync.Pool{New: func() any { return newLookout() }}

func newLookout() *lookout {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return &lookout{}
	}
	_ = unix.SetNonblock(fd, true) // as a sign that it can be waited for
	l := &lookout{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, sound: true}
	if l.raw, err = l.file.SyscallConn(); err != nil || l.file.SetReadDeadline(time.Time{}) != nil {
		l.file.Close()
		return &lookout{}
	}
	return l
}

// theEnd is the number under which the process is watched; the others are those of taps.
const theEnd = -1

// watch sees to a process until it has ended, and its pipes have. What is left of its group ends with it. If it takes longer
// than the deadline, which is set when all of it was killed, somebody else has the pipes: then they are given up.
func (l *lookout) watch(ch *child, taps []tap) (State, error) {
	l.sound = false
	err := l.addAll(ch, taps)
	if err != nil { // as many are watched as this user may
		ch.kill()
		s, _ := ch.reap(false)
		return s, err
	}
	for left := len(taps) + 1; left > 0; {
		n, failed := l.wait()
		if errors.Is(failed, os.ErrDeadlineExceeded) {
			_ = l.file.SetReadDeadline(time.Time{})
			left -= l.closeAll(taps)
			continue
		}
		if failed != nil {
			ch.kill()
			s, _ := ch.reap(false)
			return s, failed
		}
		for _, e := range l.events[:n] {
			if e.Fd == theEnd {
				l.forget(ch)
				ch.left(true)
				left--
			} else if more, failed := taps[e.Fd].move(l.buf[:]); !more {
				err = cmp.Or(err, failed)
				left -= l.closeAll(taps[e.Fd : e.Fd+1])
			}
		}
	}
	l.sound = true
	s, failed := ch.reap(true)
	return s, cmp.Or(err, failed)
}

func (l *lookout) addAll(ch *child, taps []tap) (err error) {
	failed := ch.proc.WithHandle(func(pidfd uintptr) { err = l.add(int(pidfd), theEnd) })
	err = cmp.Or(failed, err)
	for i := range taps {
		err = cmp.Or(err, l.add(taps[i].fd, i))
	}
	return err
}

// closeAll closes those that are open, and returns how many these were.
func (l *lookout) closeAll(taps []tap) (n int) {
	for i := range taps {
		if t := &taps[i]; t.fd >= 0 {
			l.remove(t.fd)
			t.close()
			n++
		}
	}
	return n
}

// forget does not watch the process any more.
func (l *lookout) forget(ch *child) {
	_ = ch.proc.WithHandle(func(pidfd uintptr) { l.remove(int(pidfd)) })
}

func (l *lookout) add(fd, number int) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(number)}))
}

// remove is said, and not left to a close: a process that is just being started may have a copy of the descriptor.
func (l *lookout) remove(fd int) { _ = unix.EpollCtl(l.fd, unix.EPOLL_CTL_DEL, fd, nil) }

// wait waits until something has happened, and puts it into events.
func (l *lookout) wait() (n int, err error) {
	failed := l.raw.Read(func(uintptr) bool {
		for {
			if n, err = unix.EpollWait(l.fd, l.events[:], 0); err != unix.EINTR {
				return n != 0 || err != nil
			}
		}
	})
	return n, cmp.Or(failed, os.NewSyscallError("epoll_wait", err))
}
