package stage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// processes lists what /proc shows. One that ends meanwhile is left out.
func processes() ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil {
			list = append(list, p)
		}
	}
	return list, nil
}

func readProcess(pid int) (Process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Process{}, err
	}
	p := Process{PID: pid, UID: -1}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case key == "State" && len(fields) > 0:
			p.State = fields[0]
		case key == "PPid" && len(fields) > 0:
			p.PPID, err = strconv.Atoi(fields[0])
		case key == "Uid" && len(fields) > 1:
			p.UID, err = strconv.Atoi(fields[1])
		}
		if err != nil {
			return Process{}, err
		}
	}
	// Empty for a zombie and for a kernel thread.
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil && len(cmdline) > 0 {
		p.Argv = strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
	}
	return p, nil
}
