package holder

import (
	"bytes"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StatOf reads the fields behind the name in /proc/PID/stat: the first one is the state.
func StatOf(pid int) [][]byte {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
}

// EndOf asks the system how a process has ended that somebody else has reaped, or will. It knows since Linux 6.15; before,
// while nobody has reaped it, its own user is told. Else nobody knows.
func EndOf(pidfd *os.File, p Process) (status int, known bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	if raw, err := pidfd.SyscallConn(); err == nil {
		failed := raw.Control(func(fd uintptr) { err = unix.IoctlPidfdInfo(int(fd), &info) })
		if failed == nil && err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			return int(info.Exit_code), true
		}
	}
	f := StatOf(p.PID)
	if len(f) < 50 || f[0][0] != 'Z' || string(f[19]) != strconv.FormatUint(p.Start, 10) {
		return 0, false
	}
	n, err := strconv.Atoi(string(f[49]))
	return n, err == nil
}

// StartOf is when a process started, in clock ticks since the system's start; zombies have it, too. 0: there is none.
func StartOf(pid int) uint64 {
	// Plain system calls: a file of package os costs as many again.
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	buf := make([]byte, 1024) // twice as long as it gets
	n, err := unix.Read(fd, buf)
	_ = unix.Close(fd)
	if err != nil {
		return 0
	}
	stat := buf[:n]
	// The name of the program may hold anything, and ends at the last parenthesis; the start is the 20th field behind.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0
	}
	start, _ := strconv.ParseUint(string(fields[19]), 10, 64)
	return start
}

// tick is the unit of starts: of the 100 in a second that Linux shows to programs, whatever it counts in itself.
const tick = 10 * time.Millisecond

// Ticks is the start of a process that starts now. One that was started between two calls with the same result has it, and
// nobody has to ask /proc, which takes long for that.
func Ticks() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	return uint64(now.Nano() / int64(tick))
}

// pidOf is the field of a siginfo that the library has no name for: it is the first one behind the common three, which
// are padded to the size of a pointer.
func pidOf(info *unix.Siginfo) int {
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), 12+(unsafe.Sizeof(uintptr(0))-4))))
}
