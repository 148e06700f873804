package trampoline

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
)

// become turns this process into the program. It returns the step that failed.
func (o *Orders) become() (step string, err error) {
	runtime.LockOSThread() // a priority is a thread's on Linux
	if o.Nice != 0 {
		if err := addNice(o.Nice); err != nil {
			return "nice", err
		}
	}
	// From here on there may be little memory, or few files.
	debug.SetGCPercent(-1)
	for _, l := range o.Limits {
		if err := setLimit(l); err != nil {
			return "limit " + l.Name, err
		}
	}
	if step, err := o.Identity.assume(); err != nil {
		return step, err
	}
	if o.Umask >= 0 {
		syscall.Umask(o.Umask)
	}
	if o.Dir != "" {
		if err := os.Chdir(o.Dir); err != nil {
			return "dir", err
		}
	}
	if o.OwnPID != "" {
		o.Env = append(o.Env, o.OwnPID+"="+strconv.Itoa(os.Getpid()))
	}
	return "exec", syscall.Exec(o.Path, o.Argv, o.Env)
}

// assume changes user and groups, for all threads, in the order in which no step takes the right to the next.
func (id *Identity) assume() (step string, err error) {
	if id == nil {
		return "", nil
	}
	if !id.KeepGroups {
		groups := make([]int, len(id.Groups))
		for i, g := range id.Groups {
			groups[i] = int(g)
		}
		if err := syscall.Setgroups(groups); err != nil {
			return "groups", err
		}
	}
	if err := syscall.Setgid(int(id.GID)); err != nil {
		return "group", err
	}
	if err := syscall.Setuid(int(id.UID)); err != nil {
		return "user", err
	}
	return "", nil
}

// addNice adds to the priority of this thread, which is all that is left of the process after exec.
func addNice(n int) error {
	now, err := niceness()
	if err != nil {
		return err
	}
	return syscall.Setpriority(syscall.PRIO_PROCESS, 0, min(max(now+n, -20), 19))
}
