package trampoline

import (
	"fmt"
	"os"
	"syscall"
)

// program is the file to start: this very one, whatever stands under its name by now.
func program(string) string { return "/proc/self/exe" }

func setLimit(l Limit) error {
	return syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard})
}

// niceness is this thread's priority: the system call gives 20 - nice, so that no value is negative.
func niceness() (int, error) {
	n, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	return 20 - n, err
}

// trusted says what is wrong with a descriptor that orders come from. Whoever made a socket pair is its peer.
func trusted(fd int) error {
	peer, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return fmt.Errorf("descriptor %d: %w", fd, err)
	}
	if int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("descriptor %d: it is of user %d, and this process is of user %d", fd, peer.Uid, os.Geteuid())
	}
	return nil
}

func socketpair() (mine, its *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "orders"), os.NewFile(uintptr(fds[1]), "orders"), nil
}
