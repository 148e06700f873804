package server

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// A spare is a descriptor that is kept for when there are no others left: for as long as it takes to tell those who wait
// in the backlog.
type spare struct{ file *os.File }

// full is what they read.
const full = "Error: the kernel has no descriptors left for another connection; come again later\n"

func newSpare() *spare {
	s := &spare{}
	s.file, _ = os.Open(os.DevNull) // without one, they wait instead
	return s
}

// use tells one of them.
func (s *spare) use(l *net.UnixListener) {
	if s.file == nil {
		s.file, _ = os.Open(os.DevNull)
		return
	}
	raw, err := l.SyscallConn()
	if err != nil {
		return
	}
	s.close()
	_ = raw.Control(func(fd uintptr) {
		// Somebody else may have been quicker to take the descriptor, or nobody waits any more: then this fails.
		if conn, _, err := unix.Accept(int(fd)); err == nil {
			_, _ = unix.Write(conn, []byte(full)) // there is room for it in a fresh socket
			_ = unix.Close(conn)
		}
	})
	s.file, _ = os.Open(os.DevNull)
}

func (s *spare) close() {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}
