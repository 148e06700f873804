package server

import (
	"io"
	"net"
	"time"
)

// How long, and for how many bytes, an end is put off for somebody who still sends: to hang up on what was not read would
// cost them what they were told.
const (
	lingerTime    = time.Second
	lingerBytes   = 1 << 20
	mostLingering = 64
)

// refuse says why and hangs up. Whoever does not read it at once goes without.
func (s *Server) refuse(nc *net.UnixConn, why string) {
	_ = nc.SetWriteDeadline(time.Now().Add(lingerTime))
	_, _ = nc.Write([]byte(why))
	if s.lingering.Add(1) > mostLingering {
		s.lingering.Add(-1)
		nc.Close()
		return
	}
	s.work.Go(func() {
		defer s.lingering.Add(-1)
		defer nc.Close()
		linger(nc)
	})
}

// linger waits for the other side to end, a little.
func linger(nc *net.UnixConn) {
	if nc.CloseWrite() == nil && nc.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, nc, lingerBytes)
	}
}
