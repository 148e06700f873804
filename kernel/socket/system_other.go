//go:build !linux

package socket

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

func cloexecSocket(family, kind, protocol int) (int, error) {
	syscall.ForkLock.RLock() // nothing is started before it is closed on exec
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, kind, protocol)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}

func bindToDevice(int, string) error { return errors.New("needs Linux") }
