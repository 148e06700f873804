//go:build !linux

package process

import (
	"runtime"
	"syscall"
)

// killTree kills a process, which was not waited for yet, and its group. What has left the group is not found here.
func killTree(pid int, group bool) {
	killGroup(pid, group)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// groupLives is not asked here.
func groupLives(int) bool { return false }

func killGroup(pid int, group bool) {
	if group {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

// maxRSS is in bytes on macOS.
func maxRSS(ru *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return ru.Maxrss
	}
	return ru.Maxrss << 10
}
