package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Socket is the reading end of a unix socket over which descriptors come along with bytes. All of it is to be read
// through the Socket: a plain read would lose descriptors.
type Socket struct {
	raw   syscall.RawConn
	files []*os.File // came, and not yet taken
	oob   [oobSize]byte
}

// oobSize has room for more descriptors than may come at a time.
const oobSize = 64

// NewSocket returns the Socket that reads f, which has to be a unix stream socket in non-blocking mode.
func NewSocket(f *os.File) (*Socket, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := isSocket(raw); err != nil {
		return nil, fmt.Errorf("wire: %w: descriptors cannot pass", err)
	}
	return &Socket{raw: raw}, nil
}

func isSocket(raw syscall.RawConn) error {
	domain := 0
	if err := raw.Control(func(fd uintptr) { domain, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN) }); err != nil {
		return err
	}
	if domain != unix.AF_UNIX {
		return errors.New("not a unix socket")
	}
	return nil
}

// Read reads bytes, and keeps the descriptors that come with them.
func (s *Socket) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	oobn, flags := 0, 0
	waitErr := s.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), p, s.oob[:], unix.MSG_CMSG_CLOEXEC)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	switch {
	case waitErr != nil:
		return 0, waitErr
	case err != nil:
		return 0, &os.PathError{Op: "read", Path: "socket", Err: err}
	}
	if oobn > 0 {
		if err := s.keep(s.oob[:oobn]); err != nil {
			return n, err
		}
	}
	if flags&unix.MSG_CTRUNC != 0 {
		s.Close()
		return n, fmt.Errorf("more than %d descriptors came at once: %w", maxDescriptors, ErrLimit)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// keep takes descriptors out of a control message.
func (s *Socket) keep(oob []byte) error {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // credentials, or the like
		}
		for _, fd := range fds {
			s.files = append(s.files, os.NewFile(uintptr(fd), fmt.Sprintf("descriptor %d", fd)))
		}
	}
	if len(s.files) > maxWaiting {
		s.Close()
		return fmt.Errorf("more than %d descriptors came that no frame took: %w", maxWaiting, ErrLimit)
	}
	return nil
}

// take returns the n descriptors that came first; nil if there are not as many.
func (s *Socket) take(n int) []*os.File {
	if s == nil || len(s.files) < n {
		return nil
	}
	files := s.files[:n:n]
	s.files = s.files[n:]
	return files
}

// Close closes the descriptors that nobody took. It does not close what the Socket reads.
func (s *Socket) Close() {
	for _, f := range s.files {
		f.Close()
	}
	s.files = nil
}

// WriteDescriptors writes a descriptor frame, and the files with it. What the wire writes to has to be a unix socket. Files
// that cannot be passed, because they are closed or the system refuses, do no harm to the wire.
func (out *outbound) WriteDescriptors(stream uint32, files ...*os.File) error {
	if len(files) < 1 || len(files) > maxDescriptors {
		return &FrameError{Type: Descriptor, Stream: stream, Offset: -1, Err: ErrLimit, Why: fmt.Sprintf("%d descriptors; it brings 1 to %d", len(files), maxDescriptors)}
	}
	conn, ok := out.w.(syscall.Conn)
	if !ok || out.label != "" {
		return out.failed(Descriptor, stream, errors.New("not a unix socket"))
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return out.failed(Descriptor, stream, err)
	}
	if err := isSocket(raw); err != nil {
		return out.failed(Descriptor, stream, err)
	}
	fds, err := duplicate(files)
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	if err != nil {
		return out.failed(Descriptor, stream, err)
	}
	payload := [][]byte{binary.BigEndian.AppendUint32(nil, uint32(len(files)))}
	h := newHeader(Descriptor, 0, stream, payload)
	out.trace.frame(outward, &h)
	out.mu.Lock()
	defer out.mu.Unlock()
	var refused error // by the system, before a byte was written: the wire goes on without
	err = out.alone(func() error {
		begun, err := sendFiles(raw, append(h[:], payload[0]...), fds)
		if !begun {
			refused, err = err, nil
		}
		return err
	})
	return out.failed(Descriptor, stream, errors.Join(refused, err))
}

// sendFiles sends a frame with descriptors on its first byte, and says whether that byte has left.
func sendFiles(raw syscall.RawConn, frame []byte, fds []int) (begun bool, err error) {
	rights := unix.UnixRights(fds...)
	for len(frame) > 0 {
		n, err := 0, error(nil)
		waitErr := raw.Write(func(fd uintptr) bool {
			n, err = unix.SendmsgN(int(fd), frame, rights, nil, unix.MSG_NOSIGNAL)
			return err != unix.EAGAIN && err != unix.EINTR
		})
		if waitErr != nil {
			return begun, waitErr
		}
		if err != nil {
			return begun, &os.PathError{Op: "sendmsg", Path: "wire", Err: err}
		}
		frame, rights, begun = frame[n:], nil, true
	}
	return true, nil
}

// duplicate returns descriptors of its own for the files, which somebody may close meanwhile.
func duplicate(files []*os.File) (fds []int, err error) {
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return fds, err
		}
		var fd int
		var failed error
		err = raw.Control(func(from uintptr) { fd, failed = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) })
		if err == nil {
			err = failed
		}
		if err != nil {
			return fds, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}
