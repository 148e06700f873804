package process

import (
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// keepInherited marks every descriptor above the first three. Files that are given to a child are marked otherwise in it.
func keepInherited() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	dir, err := os.Open("/proc/self/fd") // Linux before 5.11
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd >= 3 {
			unix.CloseOnExec(fd)
		}
	}
}
