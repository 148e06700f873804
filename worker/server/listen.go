package server

import (
	"fmt"
	"net"

	"github.com/seed354a1416/deliveryboy/internal/doorway"
)

// ErrServed says that another server listens on that socket.
var ErrServed = doorway.ErrTaken

// listen opens the socket; unlock is for when it is closed.
func listen(path string, guests bool) (l *net.UnixListener, unlock func(), err error) {
	l, lock, err := doorway.Open(path, guests)
	if err != nil {
		return nil, nil, fmt.Errorf("server: %w", err)
	}
	return l, func() { lock.Close() }, nil
}
