package worker

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/channel"
)

// outputs catches what is written to fds 1 and 2, by this process, by C code and by child processes, and sends it to the
// caller while the function runs. The pipes hold back a writer that is faster than the caller.
type outputs struct {
	ends    []*os.File
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
		o.ends = append(o.ends, r)
		o.readers.Add(1)
		go func() {
			defer o.readers.Done()
			forward(r, wire, typ, id)
		}()
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

// forward sends what comes out of r until it ends. When the caller takes no more, output is read and dropped: the
// function must not hang on it while it is being cancelled.
func forward(r *os.File, wire *channel.Wire, typ channel.Type, id uint32) {
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := wire.WriteFrame(typ, 0, id, buf[:n]); err != nil {
				_, _ = io.Copy(io.Discard, r)
				return
			}
		}
		if err != nil {
			return
		}
	}
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
	for _, r := range o.ends {
		_ = r.SetReadDeadline(time.Now().Add(lastOutput))
	}
	o.readers.Wait()
	for _, r := range o.ends {
		r.Close()
	}
}
