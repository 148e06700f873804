// Package proctree looks at the processes below one: it lists them, measures them and signals them, without ever hitting
// another process that got a number meanwhile. It exists on Linux only.
package proctree

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Ours reports whether /proc shows the processes of this process's own namespace. In a namespace entered without its mounts,
// or below a root without /proc, the numbers there are those of other processes, or of none: then nothing is found here.
var Ours = sync.OnceValue(func() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
})

// A Process is a process as it was seen: its number may be another's by the time that it is signalled.
type Process struct{ PID, Parent int }

// Below lists the processes below pid, parents first, without those that spare names and what is below them. A nil spare
// names none.
func Below(pid int, spare func(pid int) bool) []Process {
	if !Ours() {
		return nil
	}
	children := map[int][]Process{}
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if child, err := strconv.Atoi(name); err == nil {
			if st, ok := StatOf(child); ok {
				children[st.Parent] = append(children[st.Parent], Process{child, st.Parent})
			}
		}
	}
	var found []Process
	for queue := children[pid]; len(queue) > 0; queue = queue[1:] {
		if spare == nil || !spare(queue[0].PID) {
			found = append(found, queue[0])
			queue = append(queue, children[queue[0].PID]...)
		}
	}
	return found
}

// Children are the numbers of this process's children, zombies too; ok is false where the system does not tell. It is much
// less work than Below, but while a child is reaped another one may be left out: see proc(5). Two looks in a row with the
// same answer had no such moment.
func Children() (pids []int, ok bool) {
	if !Ours() {
		return nil, false
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, false
	}
	for _, t := range threads {
		text, err := os.ReadFile("/proc/self/task/" + t.Name() + "/children")
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Lstat("/proc/self/task/" + t.Name()); err != nil {
				continue // the thread has ended, and another one has its children
			}
		}
		if err != nil {
			return nil, false
		}
		for _, word := range bytes.Fields(text) {
			pid, err := strconv.Atoi(string(word))
			if err != nil {
				return nil, false
			}
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, true
}

// Signal signals the process if it is still the one that was seen: a child of the same parent, or of this process, which
// inherits orphans. The pidfd holds on to whoever has the number now, and the second look at the parent tells who that is.
func (p Process) Signal(sig unix.Signal) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return // gone, or a system without pidfds, where nothing is certain enough to be signalled
	}
	defer func() { _ = unix.Close(fd) }()
	if st, ok := StatOf(p.PID); ok && (st.Parent == p.Parent || st.Parent == os.Getpid()) {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
}

// A Stat is what a process's stat line says.
type Stat struct {
	State   byte // such as 'R', 'S', 'T', 'Z'
	Parent  int
	Group   int           // its process group
	CPU     time.Duration // in user and in system mode
	Threads int
	Start   uint64 // when it started, in ticks since the machine did: with the number, and the machine's boot, it is unique
	RSS     int64  // bytes
	VMS     int64  // bytes
	Nice    int
}

// Stopped reports whether it is stopped, by a signal or by a debugger.
func (s Stat) Stopped() bool { return s.State == 'T' || s.State == 't' }

const tick = time.Second / 100 // USER_HZ, the same on all of Go's Linux systems

// StatOf reads a process's stat line: "pid (any text) state ppid …", see proc(5).
func StatOf(pid int) (s Stat, ok bool) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, false
	}
	fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(fields) < 22 { // up to rss
		return s, false
	}
	n := func(i int) int64 { // numbered as proc(5) does
		v, err := strconv.ParseInt(string(fields[i-3]), 10, 64)
		ok = ok && err == nil
		return v
	}
	ok = true
	s = Stat{
		State: fields[0][0], Parent: int(n(4)), Group: int(n(5)), CPU: time.Duration(n(14)+n(15)) * tick, Threads: int(n(20)),
		Start: uint64(n(22)), RSS: n(24) * int64(os.Getpagesize()), VMS: n(23), Nice: int(n(19)),
	}
	return s, ok
}
