package store

import "syscall"

// Niceness is the priority of this process, as nice(1) counts: 19 yields to all others, -20 to none.
func Niceness() (int, error) {
	prio, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	return 20 - prio, err // the system call counts from 40 down
}
