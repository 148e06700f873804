package worker

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/proctree"
)

// The guardian is the parent of a worker behind a transport that gains privilege: what sudo starts is the guardian, and
// the worker is a child of it. It runs no user code, and reads nothing of what the caller sends: it looks only at whether
// the caller is still there. When the caller is gone, or the worker is, hangs or is stopped, it ends everything that
// the worker started, in whatever session it hides.

// guardVariable tells a worker on which descriptor its guardian is.
const guardVariable = "DELIVERYBOY_GUARD"

const controlFD = 3

// init is where a process becomes a guardian: before the packages that use this one are initialised, because it must not
// run their code, and because it is one more start of the program in every call through sudo.
func init() {
	if Asked(os.Args) && guardSocket() < 0 && needsGuardian(os.Getpid(), os.Getppid()) {
		guard(os.Args)
	}
}

// needsGuardian reports whether a process has other rights than whoever started it, as far as that can be told: it is
// root, or came through sudo or doas, or its parent is another user's or out of sight, and its parent is not this same
// program under the same user. A detached parent, and a server, get a guardian in any case, since nobody would be there to
// clean up after the two. Without pidfds, and a /proc of its own, nothing is certain enough to be killed.
func needsGuardian(pid, parent int) bool {
	switch {
	case detached.Is(parent), slices.Contains(os.Environ(), Served):
	case os.Geteuid() != 0 && os.Getenv("SUDO_UID") == "" && os.Getenv("DOAS_USER") == "" && !foreign(parent):
		return false
	case sameProgram(pid, parent):
		return false
	}
	return hasPidfds(pid) && proctree.Ours()
}

// foreign reports whether the parent is another user, as su, runuser and setpriv leave it, or in another process namespace,
// as with docker exec. A parent that cannot be looked at is neither.
func foreign(parent int) bool {
	if parent == 0 {
		return true
	}
	var dir unix.Stat_t
	there := "/proc/" + strconv.Itoa(parent)
	if unix.Stat(there, &dir) != nil || int(dir.Uid) == os.Geteuid() {
		return false
	}
	text, err := os.ReadFile(there + "/status") // the directory is root's also where a process may not be dumped
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), "\nUid:")
	ids := strings.Fields(rest)
	me := strconv.Itoa(os.Geteuid())
	return len(ids) > 1 && (ids[0] != me || ids[1] != me)
}

func sameProgram(pid, parent int) bool {
	var mine, its, dir unix.Stat_t
	here, there := "/proc/"+strconv.Itoa(pid), "/proc/"+strconv.Itoa(parent)
	return unix.Stat(here+"/exe", &mine) == nil && unix.Stat(there+"/exe", &its) == nil &&
		mine.Dev == its.Dev && mine.Ino == its.Ino &&
		unix.Stat(there, &dir) == nil && int(dir.Uid) == os.Geteuid()
}

func hasPidfds(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	return unix.Close(fd) == nil
}

// guardSocket returns the descriptor that leads to this process's guardian; -1 if there is none. Anybody can set a
// variable, but only a parent of the same user can have made the socket.
func guardSocket() int {
	if os.Getenv(guardVariable) != strconv.Itoa(controlFD) {
		return -1
	}
	peer, err := unix.GetsockoptUcred(controlFD, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || int(peer.Pid) != os.Getppid() || int(peer.Uid) != os.Geteuid() {
		return -1
	}
	return controlFD
}

// guard starts the worker and ends this process when nothing of it is left. It returns if there can be no worker but this
// process itself.
func guard(argv []string) {
	isolate()
	g := &guardian{grace: defaultGrace}
	if err := g.start(argv); err != nil {
		fmt.Fprintf(os.Stderr, "deliveryboy guardian: cannot start the worker: %v\n", err)
		syscall.Exit(exitOS)
	}
	_ = unix.Close(1) // the end of the worker's has to show when it ends; 0 stays for that of the caller, 2 for a last word
	g.watch()
	g.end()
	g.mirror()
}

// start runs this program again, with the same arguments and the caller's streams.
func (g *guardian) start(argv []string) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	g.control, g.pidfd = pair[0], -1
	attr := &syscall.ProcAttr{
		Env:   guardedEnvironment(),
		Files: []uintptr{0, 1, 2, uintptr(pair[1])},
		// A worker that is stopped goes on when the guardian dies, to find out, and to end. The signal comes when the thread
		// ends that started it: this is the first one, which lives as long as the process.
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGCONT, PidFD: &g.pidfd},
	}
	g.worker, err = syscall.ForkExec("/proc/self/exe", argv, attr)
	if err == syscall.EINVAL {
		// qemu-user, which runs programs for other processors, gives no pidfd with a new process. One that is opened below is
		// as good: the worker keeps its number until it is waited for.
		attr.Sys.PidFD, g.pidfd = nil, -1
		g.worker, err = syscall.ForkExec("/proc/self/exe", argv, attr)
	}
	_ = unix.Close(pair[1])
	if err == nil && g.pidfd < 0 {
		g.pidfd, err = unix.PidfdOpen(g.worker, 0)
	}
	return err
}

// guardedEnvironment is what of its environment a guardian passes on. Variables of the Go runtime and of the loader must
// not reach a worker with privileges: not every transport removes them.
func guardedEnvironment() []string {
	env := []string{"PATH=" + securePath, guardVariable + "=" + strconv.Itoa(controlFD)}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); takenOver(name) {
			env = append(env, entry)
		}
	}
	return env
}
