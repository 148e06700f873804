package session

import (
	"bytes"
	"os"
	"strconv"
	"sync"
)

// An oomWatch tells whether the kernel has killed a process for lack of memory since it was made. It counts for the
// whole machine: with a worker that was killed in the same time, it is the likely reason.
type oomWatch struct{ before int }

// oomKills is read once for the calls of a process, and again only when a worker was killed.
var oomKills struct {
	sync.Mutex
	known bool
	count int
}

func watchOOM() oomWatch {
	oomKills.Lock()
	defer oomKills.Unlock()
	if !oomKills.known {
		oomKills.count, oomKills.known = readOOMKills(), true
	}
	return oomWatch{oomKills.count}
}

func (w oomWatch) happened() bool {
	oomKills.Lock()
	defer oomKills.Unlock()
	oomKills.count = readOOMKills()
	return oomKills.count > w.before
}

func readOOMKills() int {
	stat, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(stat, []byte("\noom_kill "))
	number, _, _ := bytes.Cut(after, []byte("\n"))
	n, _ := strconv.Atoi(string(number))
	return n
}
