package worker

import (
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/proctree"
)

// treeTimeout bounds how long endTree hunts for a tree that grows as fast as it is cut.
const treeTimeout = 2 * time.Second

// endTree kills every process that this one started, whatever session it hides in, and returns when none is left: as a
// subreaper, this process is the parent of all whose own parent is gone. Nothing privileged outlives its call, but for
// detached copies of this program, and what they started: they are there to stay.
func endTree() {
	for deadline := time.Now().Add(treeTimeout); hasChildren() && !allDetached() && time.Now().Before(deadline); {
		found := proctree.Below(os.Getpid(), detached.Is)
		for _, p := range found {
			p.Signal(unix.SIGKILL)
		}
		if reap(); len(found) == 0 {
			return
		}
	}
}

// allDetached reports whether all children are there to stay, as far as that can be told without a look at every process
// of the machine.
func allDetached() bool {
	first, ok := proctree.Children()
	for _, pid := range first {
		ok = ok && detached.Is(pid)
	}
	if !ok {
		return false
	}
	again, ok := proctree.Children()
	return ok && slices.Equal(first, again)
}

// hasChildren reports whether there is any child, dead or alive.
func hasChildren() bool {
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return !errors.Is(err, unix.ECHILD)
}

// reap takes all dead children away, and waits a moment for one to die if none has.
func reap() {
	for range 100 {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err != nil {
			return // none left
		}
		if pid == 0 {
			time.Sleep(time.Millisecond)
			return
		}
	}
}

// stopped reports whether a process is stopped, by a signal or by a debugger.
func stopped(pid int) bool {
	st, ok := proctree.StatOf(pid)
	return ok && st.Stopped()
}
