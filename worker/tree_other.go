//go:build !linux

package worker

import (
	"os/signal"
	"syscall"
)

// endTree asks the worker's process group to end. Unlike on Linux, a process that left the group is not found here:
// these systems have no subreaper.
func endTree() {
	signal.Ignore(syscall.SIGTERM)
	_ = syscall.Kill(0, syscall.SIGTERM)
}
