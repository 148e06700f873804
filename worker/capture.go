package worker

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/channel"
)

// outputs catches what is written to fds 1 and 2, by this process, by C code and by child processes, and sends it to the
// caller while the function runs. The pipes hold back a writer that is faster than the caller.
type outputs struct {
	streams []*stream
	readers sync.WaitGroup
}

// chunk is how much output goes into one frame.
const chunk = 64 << 10

// lastOutput is how long finish waits for output that somebody outside the process tree may still hold open.
const lastOutput = 250 * time.Millisecond

func capture(wire *channel.Wire, id uint32) (*outputs, error) {
	o := &outputs{}
	for fd, typ := range map[int]channel.Type{1: channel.Stdout, 2: channel.Stderr} {
		r, err := pipeTo(fd)
		if err != nil {
			o.finish()
			return nil, fmt.Errorf("fd %d: %w", fd, err)
		}
		s := &stream{pipe: r, wire: wire, typ: typ, id: id}
		o.streams = append(o.streams, s)
		o.readers.Go(s.forward)
		if fd == 2 && log.Writer() == os.Stderr {
			log.SetOutput(logOutput{s})
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
	pipe *os.File
	wire *channel.Wire
	typ  channel.Type
	id   uint32

	sending sync.Mutex // held from taking bytes out of the pipe until their frame is written
	deaf    bool       // the caller takes no more
}

// forward sends what comes out of the pipe until it ends. When the caller takes no more, output is read and dropped: the
// function must not hang on it while it is being cancelled.
func (s *stream) forward() {
	raw, err := s.pipe.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, chunk)
	for more := true; more; {
		err = raw.Read(func(fd uintptr) (ready bool) {
			more, ready = s.take(int(fd), buf)
			return ready
		})
		if err != nil {
			return
		}
	}
}

// take moves one piece from the pipe to the caller. more is false at the pipe's end, ready is false if it is empty.
func (s *stream) take(fd int, buf []byte) (more, ready bool) {
	s.sending.Lock()
	defer s.sending.Unlock()
	n, err := unix.Read(fd, buf)
	switch {
	case err == unix.EAGAIN:
		return true, false
	case err == unix.EINTR:
		return true, true
	case n <= 0:
		return false, true
	}
	if !s.deaf {
		s.deaf = s.wire.WriteFrame(s.typ, 0, s.id, buf[:n]) != nil
	}
	return true, true
}

// flushed waits until all that was written to the descriptor so far is on its way to the caller.
func (s *stream) flushed() {
	for !s.empty() {
		runtime.Gosched()
	}
}

func (s *stream) empty() bool {
	s.sending.Lock()
	defer s.sending.Unlock()
	left := 0
	raw, err := s.pipe.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), fionread) })
	}
	return err != nil || left == 0
}

// logOutput is what package log writes to. log.Fatal ends the process with its next breath, so that what it says must
// be on its way before.
type logOutput struct{ stderr *stream }

func (l logOutput) Write(p []byte) (int, error) {
	n, err := os.Stderr.Write(p)
	l.stderr.flushed()
	return n, err
}

// finish ends the capture: all that was written before it is sent when it returns.
func (o *outputs) finish() {
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
}
