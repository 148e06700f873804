package worker

import (
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/channel"
)

// outputs catches what is written to fds 1 and 2, by this process, by C code and by child processes, and sends it to the
// caller while functions run: as the output of the one that runs, or, if there are several or none, as the session's. The
// pipes hold back a writer that is faster than the caller.
type outputs struct {
	server  *server
	streams []*stream
	readers sync.WaitGroup
	ended   sync.Once
}

const (
	chunk    = 256 << 10 // how much output is sent at once
	pipeSize = 1 << 20   // what the pipes hold, where the system lets them: a program that prints much is rarely stopped
)

// lastOutput is how long finish waits for output that somebody outside the process tree may still hold open.
const lastOutput = 250 * time.Millisecond

func capture(s *server) (*outputs, error) {
	o := &outputs{server: s}
	for fd, purpose := range map[int]channel.Purpose{1: channel.ForStdout, 2: channel.ForStderr} {
		r, err := pipeTo(fd)
		if err != nil {
			o.finish()
			return nil, fmt.Errorf("fd %d: %w", fd, err)
		}
		st := &stream{pipe: r, purpose: purpose, owner: s.owner}
		if raw, err := r.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { st.fd = int32(fd) }) // it stays open as long as there are calls
		}
		o.streams = append(o.streams, st)
		o.readers.Go(st.forward)
		if fd == 2 && log.Writer() == os.Stderr {
			log.SetOutput(logOutput{st})
		}
	}
	return o, nil
}

// pipeTo makes fd the writing end of a new pipe, and returns the reading end. The writing end blocks, as programs
// expect of their output; the reading end does not, so that a deadline can end a read.
func pipeTo(fd int) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	widen(w, pipeSize)
	raw, err := w.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(wfd uintptr) {
		if failed = unix.SetNonblock(int(wfd), false); failed == nil {
			failed = replace(int(wfd), fd)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// A stream is the reading end of one captured descriptor.
type stream struct {
	pipe    *os.File
	fd      int32 // of pipe
	purpose channel.Purpose
	owner   func() *task // whose output it is at the moment

	sending sync.Mutex // held from taking bytes out of the pipe until they are sent
	buf     []byte     // guarded by sending
}

// forward sends what comes out of the pipe until it ends. When the caller takes no more, output is read and dropped: the
// function must not hang on it while it is being cancelled.
func (s *stream) forward() {
	raw, err := s.pipe.SyscallConn()
	if err != nil {
		return
	}
	for more := true; more; {
		err = raw.Read(func(fd uintptr) (ready bool) {
			more, ready = s.take(int(fd))
			return ready
		})
		if err != nil {
			return
		}
	}
}

// take moves one piece from the pipe to the caller. more is false at the pipe's end, ready is false if it is empty.
func (s *stream) take(fd int) (more, ready bool) {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.buf == nil {
		s.buf = make([]byte, chunk)
	}
	n, err := unix.Read(fd, s.buf)
	switch {
	case err == unix.EAGAIN:
		return true, false
	case err == unix.EINTR:
		return true, true
	case n <= 0:
		return false, true
	}
	s.owner().write(s.purpose, s.buf[:n])
	return true, true
}

// flush sends all that was written to the descriptor so far.
func (s *stream) flush() {
	raw, err := s.pipe.SyscallConn()
	if err != nil {
		return
	}
	for more := true; more; {
		if s.empty(&more); !more {
			return
		}
		err := raw.Control(func(fd uintptr) {
			ok, ready := s.take(int(fd))
			more = ok && ready
		})
		if err != nil {
			return
		}
	}
}

// empty waits for a piece that is being sent, and sets more to whether there is another one.
func (s *stream) empty(more *bool) {
	s.sending.Lock()
	defer s.sending.Unlock()
	left := 0
	raw, err := s.pipe.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), fionread) })
	}
	*more = err == nil && left > 0
}

// logOutput is what package log writes to. log.Fatal ends the process with its next breath, so that what it says must
// be on its way before.
type logOutput struct{ stderr *stream }

func (l logOutput) Write(p []byte) (int, error) {
	n, err := os.Stderr.Write(p)
	l.stderr.flush()
	return n, err
}

// flush sends what a task has written so far, if it is the only one that runs. Otherwise nobody knows whose it is.
func (o *outputs) flush(t *task) {
	if o.server.owner() != t {
		return
	}
	for _, s := range o.streams { // what was taken out of a pipe is on its way first
		s.sending.Lock()
		s.sending.Unlock() //nolint:staticcheck // only to have waited
	}
	if !o.filled() {
		return
	}
	for _, s := range o.streams {
		s.flush()
	}
}

// filled reports whether there is anything in the pipes.
func (o *outputs) filled() bool {
	var fds [2]unix.PollFd
	for i, s := range o.streams {
		fds[i] = unix.PollFd{Fd: s.fd, Events: unix.POLLIN}
	}
	n, err := unix.Poll(fds[:len(o.streams)], 0)
	return n != 0 || err != nil
}

// finish ends the capture: all that was written before it is sent when it returns.
func (o *outputs) finish() {
	o.ended.Do(func() {
		// Without a writer left in this process, the pipes end when the last child that had them does.
		if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
			for fd := 1; fd <= 2; fd++ {
				_ = replace(int(null.Fd()), fd)
			}
			null.Close()
		}
		for _, s := range o.streams {
			_ = s.pipe.SetReadDeadline(time.Now().Add(lastOutput))
		}
		o.readers.Wait()
		for _, s := range o.streams {
			s.pipe.Close()
		}
	})
}
