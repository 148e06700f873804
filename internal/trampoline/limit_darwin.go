package trampoline

import "syscall"

func setLimit(l Limit) error {
	return syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard})
}
