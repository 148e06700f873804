//go:build !linux

package process

import (
	"errors"
	"fmt"
	"runtime"
)

func measure(pid int) (Stats, error) {
	return Stats{PID: pid}, fmt.Errorf("process %d: measurements need Linux, this is %s: %w", pid, runtime.GOOS, errors.ErrUnsupported)
}
