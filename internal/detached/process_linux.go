package detached

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// program is the file to start: this very one, whatever stands under its name by now.
func program(string) string { return "/proc/self/exe" }

func session() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// Is reports whether a process is a detached copy of this program, of the same user. A copy must stay dumpable, or this
// process would need CAP_SYS_PTRACE to see its program, which root of a container has not.
func Is(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	cmdline, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return false
	}
	if words := bytes.SplitN(cmdline, []byte{0}, 3); len(words) < 3 || string(words[1]) != Verb {
		return false
	}
	var mine, its, owner unix.Stat_t
	return unix.Stat("/proc/self/exe", &mine) == nil && unix.Stat(dir+"/exe", &its) == nil &&
		mine.Dev == its.Dev && mine.Ino == its.Ino &&
		unix.Stat(dir, &owner) == nil && (int(owner.Uid) == os.Geteuid() || owner.Uid == 0)
}
