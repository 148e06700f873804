package worker

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// stdio is the worker's link to its caller: what the transport gave it as fds 0, 1 and 2, moved away before user code
// can write to them.
type stdio struct {
	in, out, err *os.File
	eightBit     bool         // neither in nor out is a terminal: bytes arrive as they are
	socket       *wire.Socket // reads in, if it passes descriptors; nil if not
	undo         []func()
}

// reader is where the caller's bytes come from.
func (s *stdio) reader() io.Reader {
	if s.socket != nil {
		return s.socket
	}
	return s.in
}

// lane is the way back of a socket on stdin, for descriptors alone; nil if there is none.
func (s *stdio) lane(wanted bool) *wire.Wire {
	if s.socket == nil || !wanted {
		return nil
	}
	return wire.NewBinary(strings.NewReader(""), s.in, wire.Options{})
}

// takeStdio moves fds 0, 1 and 2 away and leaves /dev/null in their place.
func takeStdio() (*stdio, error) {
	closeInherited()
	s := &stdio{eightBit: true}
	for fd, f := range []**os.File{&s.in, &s.out, &s.err} {
		moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, fmt.Errorf("fd %d: %w", fd, err)
		}
		if fd < 2 {
			s.prepare(moved)
		}
		*f = os.NewFile(uintptr(moved), "caller")
	}
	// What the runtime prints when it crashes goes to fd 2, where the process itself should read it, and here too.
	if err := debug.SetCrashOutput(s.err, debug.CrashOptions{}); err != nil {
		return nil, fmt.Errorf("crash output: %w", err)
	}
	if sock, err := wire.NewSocket(s.in); err == nil {
		s.socket = sock
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	for fd := range 3 {
		if err := replace(int(null.Fd()), fd); err != nil {
			return nil, fmt.Errorf("fd %d: %w", fd, err)
		}
	}
	return s, nil
}

// prepare makes a pipe or socket pollable, which is three times faster than blocking a thread, and a terminal raw, so
// that it neither echoes nor mangles. Both outlive the worker: restore takes them back.
func (s *stdio) prepare(fd int) {
	if undo, terminal := makeRaw(fd); terminal {
		s.eightBit = false
		s.undo = append(s.undo, undo)
		return
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFIFO && kind != unix.S_IFSOCK {
		return
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		return
	}
	if syscall.SetNonblock(fd, true) == nil {
		s.undo = append(s.undo, func() { _ = syscall.SetNonblock(fd, false) })
	}
}

// restore leaves the transport's descriptors as they were: a shell may go on with them.
func (s *stdio) restore() {
	for _, undo := range s.undo {
		undo()
	}
	s.undo = nil
}

// exit ends the worker. Whatever the program hung on its exit is not run: the race detector alone would take a second.
func (s *stdio) exit(code int) {
	s.restore()
	syscall.Exit(code)
}

// say writes a last word to the transport's stderr, where the caller shows it if no reply came.
func (s *stdio) say(err error) { fmt.Fprintf(s.err, "deliveryboy worker: %v\n", err) }
