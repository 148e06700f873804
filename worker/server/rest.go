package server

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// mostRest is more than a pipe holds.
const mostRest = 1 << 20

// A rest reads a worker's pipe, and behind its deadline what is in it already: a process that the worker left behind may
// hold the pipe open, but what the worker itself said last must not depend on how busy this machine is.
type rest struct {
	pipe *os.File
	left int
}

func newRest(pipe *os.File) *rest { return &rest{pipe, mostRest} }

func (r *rest) Read(p []byte) (int, error) {
	n, err := r.pipe.Read(p)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if n = r.inside(p[:min(len(p), r.left)]); n == 0 {
		return 0, io.EOF
	}
	r.left -= n
	return n, nil
}

// inside reads without waiting; 0 if there is nothing.
func (r *rest) inside(p []byte) (n int) {
	raw, err := r.pipe.SyscallConn()
	if err != nil || len(p) == 0 {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), p) })
	if err != nil {
		return 0
	}
	return n
}
