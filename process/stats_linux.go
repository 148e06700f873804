package process

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/proctree"
)

const (
	ticks      = 100 // USER_HZ, the same on all of Go's Linux systems
	maxCmdline = 64 << 10
)

// measure reads what /proc has of a process.
func measure(pid int) (Stats, error) {
	if !proctree.Ours() {
		return Stats{}, fmt.Errorf("process %d: /proc here is that of other processes: mount it", pid)
	}
	st, ok := proctree.StatOf(pid)
	if !ok {
		return Stats{}, fmt.Errorf("process %d: there is none: %w", pid, ErrDone)
	}
	dir := fmt.Sprintf("/proc/%d/", pid)
	s := Stats{
		PID: pid, Parent: st.Parent, Status: statusWord(st.State), RSS: st.RSS, VMS: st.VMS, CPUTime: st.CPU,
		Threads: st.Threads, Nice: st.Nice, Files: -1, UID: -1, Children: children(dir), Taken: time.Now(),
		Created: booted().Add(time.Duration(st.Start) * (time.Second / ticks)),
	}
	if all := memory(); all > 0 {
		s.Memory = 100 * float64(s.RSS) / float64(all)
	}
	s.fill(dir)
	if f, err := os.Open(dir + "fd"); err == nil {
		names, _ := f.Readdirnames(-1)
		f.Close()
		s.Files = len(names)
	}
	return s, nil
}

// fill adds names.
func (s *Stats) fill(dir string) {
	if text, err := os.ReadFile(dir + "comm"); err == nil {
		s.Name = strings.TrimSuffix(string(text), "\n")
	}
	if text, err := os.ReadFile(dir + "cmdline"); err == nil && len(text) > 0 {
		text = bytes.TrimSuffix(text[:min(len(text), maxCmdline)], []byte{0})
		s.Cmdline = strings.Split(string(text), "\x00")
	}
	if text, err := os.ReadFile(dir + "status"); err == nil {
		if _, rest, ok := strings.Cut(string(text), "\nUid:\t"); ok {
			_, rest, _ = strings.Cut(rest, "\t") // the effective one
			word, _, _ := strings.Cut(rest, "\t")
			if n, err := strconv.Atoi(word); err == nil {
				s.UID, s.Username = n, username(word)
			}
		}
	}
}

func username(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

func children(dir string) (pids []int) {
	threads, _ := os.ReadDir(dir + "task")
	for _, t := range threads {
		text, _ := os.ReadFile(dir + "task/" + t.Name() + "/children")
		for _, word := range bytes.Fields(text) {
			if pid, err := strconv.Atoi(string(word)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func statusWord(state byte) string {
	switch state {
	case 'R':
		return "running"
	case 'S':
		return "sleeping"
	case 'D':
		return "disk-sleep"
	case 'T':
		return "stopped"
	case 't':
		return "tracing-stop"
	case 'Z':
		return "zombie"
	case 'I':
		return "idle"
	case 'X', 'x':
		return "dead"
	}
	return string(rune(state))
}

// memory is the machine's, in bytes.
var memory = sync.OnceValue(func() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit) //nolint:unconvert // of other sizes on other machines
})

// booted is when the machine was.
var booted = sync.OnceValue(func() time.Time {
	var up unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) != nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(up.Nano())).Truncate(time.Second / ticks)
})
