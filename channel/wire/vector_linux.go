package wire

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A vector writes several pieces at once: the reader is not woken for a header alone.
type vector struct {
	raw    syscall.RawConn
	pieces [][]byte
}

// vectorOf returns nil if w cannot do that.
func vectorOf(w io.Writer) *vector {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	return &vector{raw: raw}
}

// write writes all pieces.
func (v *vector) write(head []byte, pieces [][]byte) error {
	v.pieces = append(append(v.pieces[:0], head), pieces...)
	defer clear(v.pieces)
	left := v.pieces
	for len(left) > 0 {
		n, err := 0, error(nil)
		waitErr := v.raw.Write(func(fd uintptr) bool {
			for {
				n, err = unix.Writev(int(fd), left[:min(len(left), 64)])
				if err != unix.EINTR {
					return err != unix.EAGAIN
				}
			}
		})
		if waitErr != nil {
			return waitErr
		}
		if err != nil {
			return &os.PathError{Op: "writev", Path: "wire", Err: err}
		}
		for len(left) > 0 && n >= len(left[0]) {
			n -= len(left[0])
			left = left[1:]
		}
		if n > 0 {
			left[0] = left[0][n:]
		}
	}
	return nil
}
