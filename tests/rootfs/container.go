package rootfs

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Idle is the first process of a container: it ends the program when one of the signals comes. Its children's ends are
// nobody's business.
func Idle(until ...os.Signal) {
	signal.Ignore(syscall.SIGCHLD)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, until...)
	<-stop
	os.Exit(0)
}

// RemoveGroups removes control groups that nothing is in any more, and those in them; the last processes of a container
// may end after the command that stops it.
func RemoveGroups(groups []string) {
	left := groups
	for deadline := time.Now().Add(30 * time.Second); len(left) > 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		left = nil
		for _, group := range groups {
			below, _ := filepath.Glob(group + "/*/cgroup.procs")
			for _, file := range below {
				_ = os.Remove(filepath.Dir(file))
			}
			if err := os.Remove(group); err != nil && !errors.Is(err, os.ErrNotExist) {
				left = append(left, group)
			}
		}
	}
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "control groups stay: %q\n", left)
	}
}
