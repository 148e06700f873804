package admin

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond is the unit of times in /proc. It has been 100 on every architecture that Go runs on.
const ticksPerSecond = 100

func processes(ctx context.Context, only []int) ([]Process, error) {
	all, err := pids()
	if err != nil {
		return nil, err
	}
	boot, err := bootTime()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, pid := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(only) > 0 && !slices.Contains(only, pid) {
			continue
		}
		if p, err := readProcess(pid, boot); err == nil { // else it has ended
			found = append(found, p)
		}
	}
	return found, nil
}

// readProcess reads what /proc tells about one process.
func readProcess(pid int, boot time.Time) (Process, error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Process{}, err
	}
	p, err := parseStat(string(stat), boot)
	if err != nil {
		return Process{}, err
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return Process{}, err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		p.UID, p.GID = int(st.Uid), int(st.Gid)
	}
	p.effective(dir)
	if args, err := os.ReadFile(dir + "/cmdline"); err == nil && len(args) > 0 {
		p.Args = strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00")
	}
	return p, nil
}

// effective reads the effective ids: the owner of a process's directory is root if the process cannot be traced.
func (p *Process) effective(dir string) {
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		name, ids, _ := strings.Cut(line, ":")
		f := strings.Fields(ids) // real, effective, saved, file system
		if len(f) < 4 {
			continue
		}
		id, err := strconv.Atoi(f[1])
		switch {
		case err != nil:
		case name == "Uid":
			p.UID = id
		case name == "Gid":
			p.GID = id
		}
	}
}

// parseStat reads a line of /proc/PID/stat, whose second field is a name in parentheses that may hold anything.
func parseStat(line string, boot time.Time) (Process, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return Process{}, fmt.Errorf("no name in %s", quote(line))
	}
	f := strings.Fields(line[end+1:]) // f[0] is field 3 of proc(5)
	if len(f) < 22 {
		return Process{}, fmt.Errorf("too few fields in %s", quote(line))
	}
	p := Process{Name: line[open+1 : end], State: f[0]}
	var failed error
	number := func(s string) int64 {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil {
			failed = err
		}
		return n
	}
	p.PID = int(number(line[:open]))
	p.PPID = int(number(f[1]))
	p.CPUSeconds = float64(number(f[11])+number(f[12])) / ticksPerSecond
	p.Threads = int(number(f[17]))
	p.Start = boot.Add(time.Duration(number(f[19])) * time.Second / ticksPerSecond)
	p.Resident = number(f[21]) * int64(os.Getpagesize())
	return p, failed
}

// bootTime is when the system started.
func bootTime() (time.Time, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Unix(seconds, 0), err
		}
	}
	return time.Time{}, fmt.Errorf("/proc/stat: no btime")
}
