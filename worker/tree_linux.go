package worker

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
)

// treeTimeout bounds how long endTree hunts for a tree that grows as fast as it is cut.
const treeTimeout = 2 * time.Second

// endTree kills every process that this one started, whatever session it hides in, and returns when none is left: as a
// subreaper, this process is the parent of all whose own parent is gone. Nothing privileged outlives its call, but for
// detached copies of this program, and what they started: they are there to stay.
func endTree() {
	for deadline := time.Now().Add(treeTimeout); hasChildren() && time.Now().Before(deadline); {
		found := descendants(os.Getpid())
		for _, p := range found {
			p.kill()
		}
		if reap(); len(found) == 0 {
			return
		}
	}
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

// A descendant is a process as it was seen: its number may be another's by the time that it is killed.
type descendant struct{ pid, parent int }

// kill ends the process if it is still the one that was seen. The pidfd holds on to whoever has the number now, and the
// second look at the parent tells who that is.
func (d descendant) kill() {
	fd, err := unix.PidfdOpen(d.pid, 0)
	if err != nil {
		return // gone, or a system without pidfds, where nothing is certain enough to kill
	}
	defer func() { _ = unix.Close(fd) }()
	if parent, ok := parentOf(d.pid); ok && (parent == d.parent || parent == os.Getpid()) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// descendants lists the processes below pid, parents first, without detached ones and what is below them.
func descendants(pid int) []descendant {
	children := map[int][]descendant{}
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if child, err := strconv.Atoi(name); err == nil {
			if parent, ok := parentOf(child); ok {
				children[parent] = append(children[parent], descendant{child, parent})
			}
		}
	}
	var found []descendant
	for queue := children[pid]; len(queue) > 0; queue = queue[1:] {
		if !detached.Is(queue[0].pid) {
			found = append(found, queue[0])
			queue = append(queue, children[queue[0].pid]...)
		}
	}
	return found
}

// parentOf reads a process's parent.
func parentOf(pid int) (int, bool) {
	_, parent, ok := statOf(pid)
	return parent, ok
}

// stopped reports whether a process is stopped, by a signal or by a debugger.
func stopped(pid int) bool {
	state, _, _ := statOf(pid)
	return state == 'T' || state == 't'
}

// statOf reads a process's state and its parent from its stat line: "pid (any text) state ppid …".
func statOf(pid int) (state byte, parent int, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return fields[0][0], parent, err == nil
}
