package socket

import "golang.org/x/sys/unix"

func cloexecSocket(family, kind, protocol int) (int, error) {
	return unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
}

func bindToDevice(fd int, name string) error { return unix.BindToDevice(fd, name) }
