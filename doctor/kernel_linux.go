package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// read is the first line of a file below a root, "" if there is none.
func read(root, path string) string {
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

// kernel looks at settings that keep users of one machine apart. They are the choice of whoever runs it.
func kernel(root string) []Finding {
	var found []Finding
	note := func(what, fix string) {
		found = append(found, Finding{Check: checkKernel, Severity: Note, What: what, Fix: fix})
	}
	if read(root, "proc/sys/dev/tty/legacy_tiocsti") == "1" {
		note("programs can type into terminals that they share with others (dev.tty.legacy_tiocsti)",
			"Set dev.tty.legacy_tiocsti=0 with sysctl; workers have no terminal, but what users start through su has.")
	}
	if scope := read(root, "proc/sys/kernel/yama/ptrace_scope"); scope == "" || scope == "0" {
		note("processes of a user can read each other's memory (Yama is off)", "Set kernel.yama.ptrace_scope=1 with sysctl.")
	}
	if !hidesProcesses(root) {
		note("all users see the arguments of all processes (/proc without hidepid)",
			"Mount /proc with hidepid=invisible; arguments of calls are not among them, names of functions are.")
	}
	return found
}

// hidesProcesses reports whether /proc shows users their own processes only.
func hidesProcesses(root string) bool {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/mounts"))
	if err != nil {
		return true // it cannot be told
	}
	hides := false
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 4 || words[1] != "/proc" {
			continue
		}
		hides = slices.ContainsFunc(strings.Split(words[3], ","), func(option string) bool {
			return slices.Contains([]string{"hidepid=2", "hidepid=invisible", "hidepid=4", "hidepid=ptraceable"}, option)
		})
	}
	return hides
}

// confinement says which security module restricts the worker.
func confinement(root string) []Finding {
	profile := strings.TrimRight(read(root, "proc/self/attr/current"), "\x00")
	fix := "Make sure that the profile permits what the functions need; the kernel's log has what it refuses."
	switch {
	case read(root, "sys/fs/selinux/enforce") == "1":
		return []Finding{{Check: checkKernel, Severity: Note, What: "SELinux is enforcing, and the worker runs as " + profile, Fix: fix}}
	case strings.HasSuffix(profile, "(enforce)"):
		return []Finding{{Check: checkKernel, Severity: Note, What: "AppArmor confines the worker to the profile " + profile, Fix: fix}}
	}
	return nil
}

// loginEnd says whether the end of a login ends a user's jobs.
func loginEnd(root, name string) []Finding {
	if _, err := os.Stat(filepath.Join(root, "run/systemd/system")); err != nil || name == "root" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(root, "var/lib/systemd/linger", name)); err == nil || !killsProcesses(root, name) {
		return nil
	}
	return []Finding{{Check: checkJobs, Severity: Warning, What: "systemd ends this user's processes when the last login ends (KillUserProcesses), jobs included",
		Fix: "Run: loginctl enable-linger " + name + "."}}
}

// killsProcesses reports whether systemd's login daemon is told to end what a user leaves.
func killsProcesses(root, name string) bool {
	settings := map[string]string{}
	files := []string{filepath.Join(root, "etc/systemd/logind.conf")}
	for _, dir := range []string{"usr/lib", "run", "etc"} { // in this order, as their names hardly ever mix
		more, _ := filepath.Glob(filepath.Join(root, dir, "systemd/logind.conf.d/*.conf"))
		files = append(files, more...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if key, value, is := strings.Cut(strings.TrimSpace(line), "="); is {
				settings[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
	}
	kills := settings["KillUserProcesses"]
	on, err := strconv.ParseBool(kills)
	spared := slices.Contains(strings.Fields(settings["KillExcludeUsers"]), name)
	only := strings.Fields(settings["KillOnlyUsers"])
	return (on || err != nil && (kills == "yes" || kills == "on")) && !spared && (len(only) == 0 || slices.Contains(only, name))
}

// reaping says whether the first process leaves ended ones in the table: what is there a while later has been left.
func reaping(ctx context.Context) []Finding {
	first := orphans()
	if len(first) == 0 {
		return nil
	}
	select {
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
		return nil
	}
	second := orphans()
	left := slices.DeleteFunc(first, func(pid string) bool { return !slices.Contains(second, pid) })
	if len(left) == 0 {
		return nil
	}
	return []Finding{{Check: checkProcesses, Severity: Warning,
		What: strconv.Itoa(len(left)) + " ended processes are never taken away by process 1, such as " + left[0],
		Fix:  "Start the container with an init, such as docker run --init."}}
}

// orphans are the zombies whose parent is process 1.
func orphans() []string {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	var pids []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text[max(strings.LastIndexByte(string(text), ')'), 0):]), " ")
		if words := strings.Fields(rest); len(words) > 1 && words[0] == "Z" && words[1] == "1" {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}
