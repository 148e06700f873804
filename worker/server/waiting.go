package server

import (
	"net"
	"sync"
)

// maxWaiting is how many connections may be there that have not proved who they are.
const maxWaiting = 256

// waiting are the connections of nobody knows whom, the oldest first.
type waiting struct {
	mu    sync.Mutex // guards conns
	conns []net.Conn
}

// add takes one in. If there are too many, the oldest has to go: who means it needs moments, who keeps others out does
// nothing. Forget takes it out again.
func (w *waiting) add(conn net.Conn) (forget func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.conns) == maxWaiting {
		_ = w.conns[0].Close()
		w.conns = w.conns[1:]
	}
	w.conns = append(w.conns, conn)
	return func() { w.remove(conn) }
}

func (w *waiting) remove(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, c := range w.conns {
		if c == conn {
			w.conns = append(w.conns[:i:i], w.conns[i+1:]...)
			return
		}
	}
}
