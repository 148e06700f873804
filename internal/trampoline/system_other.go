//go:build !linux

package trampoline

import (
	"os"
	"syscall"
)

func program(name string) string { return name }

func niceness() (int, error) { return syscall.Getpriority(syscall.PRIO_PROCESS, 0) }

// trusted is not asked here.
func trusted(int) error { return nil }

func socketpair() (mine, its *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(fds[0]), "orders"), os.NewFile(uintptr(fds[1]), "orders"), nil
}
