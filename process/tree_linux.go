package process

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/proctree"
)

// killTimeout bounds how long killTree hunts for a tree that grows as fast as it is cut.
const killTimeout = 2 * time.Second

// killTree kills a process, which was not waited for yet, and its group, and what is below these, in whatever session it
// hides. All of it is stopped first, so that nothing moves, and killed from the leaves: the children of one that dies are
// anybody's.
func killTree(pid int, group bool) {
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	told := map[int]bool{pid: true}
	for deadline := time.Now().Add(killTimeout); ; {
		all, still := tree(pid, group), !moves(pid)
		late := !time.Now().Before(deadline)
		for _, p := range all {
			if !told[p.PID] {
				p.Signal(unix.SIGSTOP)
				told[p.PID], still = true, false
			}
			still = still && !moves(p.PID)
		}
		if still || late {
			for _, p := range slices.Backward(all) {
				p.Signal(unix.SIGKILL)
			}
			break
		}
		time.Sleep(time.Millisecond) // they hear it meanwhile
	}
	killGroup(pid, group)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// moves reports whether a process that was told to stop may still do something. One that waits in the system, such as for a
// child of a vfork that was stopped first, stops before it does anything else.
func moves(pid int) bool {
	st, ok := proctree.StatOf(pid)
	return ok && proctree.Ours() && !st.Stopped() && st.State != 'Z' && st.State != 'D'
}

// tree is what is below a process, and, with group, the rest of its group and what is below that; parents come first.
func tree(pid int, group bool) []proctree.Process {
	all := proctree.Below(pid, nil)
	if !group {
		return all
	}
	seen := map[int]bool{pid: true}
	for _, p := range all {
		seen[p.PID] = true
	}
	for _, m := range groupMembers(pid) {
		if seen[m.PID] {
			continue
		}
		for _, p := range append([]proctree.Process{m}, proctree.Below(m.PID, nil)...) {
			if !seen[p.PID] {
				seen[p.PID] = true
				all = append(all, p)
			}
		}
	}
	return all
}

// groupLives reports whether a group has members that have not ended.
func groupLives(pid int) bool { return len(groupMembers(pid)) > 0 }

// groupMembers are those of a group who have not ended.
func groupMembers(pid int) []proctree.Process {
	if !proctree.Ours() {
		return nil
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var members []proctree.Process
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			if st, ok := proctree.StatOf(n); ok && st.Group == pid && st.State != 'Z' {
				members = append(members, proctree.Process{PID: n, Parent: st.Parent})
			}
		}
	}
	return members
}

// killGroup kills the group of a process that was not waited for yet.
func killGroup(pid int, group bool) {
	if group {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

// awaitEnd returns when a child has ended, and leaves it to be waited for: it reports that. Where the system has
// descriptors of processes, no thread waits with it.
func awaitEnd(pid int) bool {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return waitid(unix.P_PID, pid, 0)
	}
	f := os.NewFile(uintptr(fd), "process")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Read(func(fd uintptr) bool { return waitid(unix.P_PIDFD, int(fd), unix.WNOHANG) })
	}
	return err == nil || waitid(unix.P_PID, pid, 0)
}

// waitid reports whether a child has ended, or is not there.
func waitid(kind, id, options int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(kind, id, &info, unix.WEXITED|unix.WNOWAIT|options, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return false
		default:
			return err != nil || info.Signo != 0
		}
	}
}

func maxRSS(ru *syscall.Rusage) int64 { return ru.Maxrss << 10 }
