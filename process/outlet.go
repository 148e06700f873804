package process

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// maxRest is how much is still read of an output that was given up: as much as a pipe can hold.
const maxRest = 1 << 20

// An outlet is an output as it is read here: up to its end, or, when it was given up, what is there already.
type outlet struct {
	file  *os.File
	rest  int
	muted atomic.Bool
}

func newOutlet(f *os.File) *outlet { return &outlet{file: f, rest: maxRest} }

// copyTo copies all of it. A program that writes on after that is told so.
func (o *outlet) copyTo(w io.Writer) error {
	_, err := io.Copy(w, o)
	o.file.Close()
	if o.muted.Load() {
		return nil
	}
	return err
}

// mute is for an output that nobody wants any more.
func (o *outlet) mute() {
	o.muted.Store(true)
	o.file.Close()
}

// giveUp ends the reading of an output that others may hold for ever. exec.ErrWaitDelay says so.
func (o *outlet) giveUp() { _ = o.file.SetReadDeadline(time.Unix(1, 0)) }

func (o *outlet) Read(p []byte) (int, error) {
	n, err := o.file.Read(p)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	raw, err := o.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	p = p[:min(len(p), o.rest)]
	if len(p) == 0 {
		return 0, errWaitDelay
	}
	var readErr error
	if err := raw.Control(func(fd uintptr) { n, readErr = syscall.Read(int(fd), p) }); err != nil { // it does not block
		return 0, err
	}
	switch {
	case errors.Is(readErr, syscall.EAGAIN):
		return 0, errWaitDelay
	case readErr != nil:
		return 0, os.NewSyscallError("read", readErr)
	case n == 0:
		return 0, io.EOF
	}
	o.rest -= n
	return n, nil
}
