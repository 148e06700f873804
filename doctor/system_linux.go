package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// system looks at the machine, the container or the namespace around this process.
func system(ctx context.Context) []Finding {
	var found []Finding
	found = append(found, limits()...)
	found = append(found, groupLimits("/")...)
	found = append(found, space()...)
	found = append(found, kernel("/")...)
	found = append(found, support()...)
	found = append(found, reaping(ctx)...)
	if u, err := user.Current(); err == nil {
		found = append(found, loginEnd("/", u.Username)...)
	}
	found = append(found, confinement("/")...)
	return found
}

// privileged reports whether this process has more rights than an ordinary user of this machine.
func privileged() bool { return os.Geteuid() == 0 && !inUserNamespace() }

// inUserNamespace reports whether ids here are not those of the machine.
func inUserNamespace() bool {
	table, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	return strings.Join(strings.Fields(string(table)), " ") != "0 0 4294967295"
}

// field is a line such as "NoNewPrivs:	1" of this process's status.
func field(name string) string {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if value, is := strings.CutPrefix(line, name+":"); is {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// noNewPrivileges says that nothing that is setuid helps from here.
func noNewPrivileges() []Finding {
	if field("NoNewPrivs") != "1" {
		return nil
	}
	return []Finding{{Check: checkPrivilege, Severity: Error, What: "this place has no_new_privs set, so that sudo, su and doas gain nothing",
		Fix: "Start the caller without it: without NoNewPrivileges= of systemd, or with allowPrivilegeEscalation of a container."}}
}

// setuid says why a program that is to change users cannot.
func setuid(program string) []Finding {
	info, err := os.Stat(program)
	if err != nil || os.Geteuid() == 0 || inUserNamespace() {
		return nil // it is not there, or need not; or what files show is not so
	}
	bad := func(what, fix string) []Finding {
		return []Finding{{Check: checkPrivilege, Severity: Error, What: program + " " + what, Fix: fix}}
	}
	if info.Mode()&fs.ModeSetuid == 0 || info.Sys().(*syscall.Stat_t).Uid != 0 {
		return bad(fmt.Sprintf("is not root's with the setuid bit (mode %04o), so that it gains nothing", info.Mode().Perm()),
			"Install it again from its package, or as root run: chown root "+program+" && chmod 4755 "+program+".")
	}
	var s unix.Statfs_t
	if unix.Statfs(program, &s) == nil && s.Flags&unix.ST_NOSUID != 0 {
		return bad("is on a file system that is mounted nosuid, so that it gains nothing", "Mount that without nosuid, or start the caller outside of the sandbox that did it.")
	}
	return nil
}

// noexec reports whether nothing on the file system of a path can be run.
func noexec(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Flags&unix.ST_NOEXEC != 0
}

// support says which of what keeps workers from staying behind the kernel lacks.
func support() []Finding {
	var found []Finding
	lacks := func(what, of string) {
		found = append(found, Finding{Check: checkKernel, Severity: Warning,
			What: what + " is refused here, so that processes of a function may stay when their worker ends",
			Fix:  "Run Linux " + of + " or later, and let the container's seccomp profile permit it."})
	}
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err != nil {
		lacks("pidfd_open", "5.3")
	} else {
		_ = unix.Close(fd)
	}
	var reaper int
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&reaper)), 0, 0, 0); err != nil {
		lacks("PR_SET_CHILD_SUBREAPER", "3.4")
	}
	return found
}

// existing is a directory or the nearest one above it that is there.
func existing(dir string) string {
	for dir != "/" && dir != "." {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "/"
}
