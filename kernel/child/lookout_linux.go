package child

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A lookout waits for all processes of a table, and for what they print: an epoll instance, for which one goroutine waits as
// for any file. Goroutines of their own, with their stacks, have only those of which there is something to record.
type lookout struct {
	file *os.File
	raw  syscall.RawConn
	fd   int

	mu   sync.Mutex // guards what follows
	last uint64
	who  map[uint64]*process // by their numbers here, which are never used again
}

// theEnd is where a process's end is among its sources.
const theEnd = sources

// newLookout makes one, and has it wait until close.
func newLookout(work *sync.WaitGroup) (*lookout, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	_ = unix.SetNonblock(fd, true) // as a sign that it can be waited for
	l := &lookout{file: os.NewFile(uintptr(fd), "epoll"), fd: fd, who: map[uint64]*process{}}
	if l.raw, err = l.file.SyscallConn(); err == nil {
		err = l.file.SetReadDeadline(time.Time{}) // it really can
	}
	if err != nil {
		l.file.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	work.Go(l.watch)
	return l, nil
}

func (l *lookout) close() { l.file.Close() }

// watch tells processes what has happened to them. What they do about it must not wait for anybody.
func (l *lookout) watch() {
	for events := make([]unix.EpollEvent, 64); ; {
		n, err := 0, error(nil)
		failed := l.raw.Read(func(uintptr) bool {
			for {
				if n, err = unix.EpollWait(l.fd, events, 0); err != unix.EINTR {
					return n != 0 || err != nil
				}
			}
		})
		if failed != nil || err != nil {
			return
		}
		for _, e := range events[:n] {
			switch p, s := l.find(e); {
			case p == nil: // it is gone
			case s == theEnd:
				p.died()
			default:
				p.stir(s, e.Events&unix.EPOLLIN != 0)
			}
		}
	}
}

// sourceBits are those of an event's number that say which descriptor of a process it is about.
const sourceBits = 2

func eventOf(p *process, s source) *unix.EpollEvent {
	number := p.number<<sourceBits | uint64(s)
	return &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(number), Pad: int32(number >> 32)}
}

func (l *lookout) find(e unix.EpollEvent) (*process, source) {
	number := uint64(uint32(e.Pad))<<32 | uint64(uint32(e.Fd))
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.who[number>>sourceBits], source(number & (1<<sourceBits - 1))
}

// add watches a descriptor, unless it is closed (os.ErrClosed). Each change of it is told once, also one that was before.
func (l *lookout) add(p *process, s source, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) {
		l.admit(p)
		err = unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, int(fd), eventOf(p, s))
	})
	if failed != nil { // Control fails for nothing else
		return os.ErrClosed
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// admit gives a process a number, if it has none, under which it hears of its descriptors.
func (l *lookout) admit(p *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.number == 0 {
		l.last++
		p.number = l.last
	}
	l.who[p.number] = p
}

// forget does not tell a process anything any more. Its descriptors leave with their last copy, which may be the holder's.
func (l *lookout) forget(p *process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.who, p.number)
}
