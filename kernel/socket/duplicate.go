package socket

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// duplicate is another descriptor of the same socket, so that its end and the table's do not matter to each other.
func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, firstFile)
	if err != nil {
		return nil, fmt.Errorf("another descriptor for %s: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
