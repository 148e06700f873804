//go:build !linux

package detached

import "syscall"

func program(name string) string { return name }

func session() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// Is reports whether a process is a detached copy. It cannot be told here, and need not be: what leaves the process group
// of a worker is not hunted.
func Is(int) bool { return false }
