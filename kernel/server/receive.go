package server

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// errRights is for a peer that sent open files.
var errRights = errors.New("open files were sent; this protocol takes none")

// A plainReader reads a socket and notices when descriptors come along. They are never received.
type plainReader struct {
	raw   syscall.RawConn
	try   func(fd uintptr) bool // made once: it reads into buf
	buf   []byte
	n     int
	flags int
	err   error
}

func newPlainReader(raw syscall.RawConn) *plainReader {
	r := &plainReader{raw: raw}
	r.try = func(fd uintptr) bool {
		for {
			r.n, _, r.flags, _, r.err = unix.Recvmsg(int(fd), r.buf, nil, 0)
			if r.err != unix.EINTR {
				return r.err != unix.EAGAIN
			}
		}
	}
	return r
}

func (r *plainReader) Read(p []byte) (int, error) {
	r.buf = p
	failed := r.raw.Read(r.try)
	r.buf = nil
	switch {
	case failed != nil:
		return 0, failed
	case r.err != nil:
		return 0, os.NewSyscallError("recvmsg", r.err)
	case r.flags&unix.MSG_CTRUNC != 0:
		return 0, errRights
	case r.n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return r.n, nil
}
