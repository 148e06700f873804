package trampoline

import (
	"math"
	"syscall"
)

// setLimit sets a limit; numbers are signed here.
func setLimit(l Limit) error {
	return syscall.Setrlimit(l.Resource, &syscall.Rlimit{
		Cur: int64(min(l.Soft, math.MaxInt64)), Max: int64(min(l.Hard, math.MaxInt64)),
	})
}
