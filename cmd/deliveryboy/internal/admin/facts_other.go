//go:build !linux

package admin

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// system learns what only the operating system knows.
func (f *Facts) system() {
	f.learn("kernel", func() error {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return err
		}
		f.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
		return nil
	})
	f.learn("memory_total", func() error {
		name := "hw.physmem"
		if runtime.GOOS == "darwin" {
			name = "hw.memsize"
		}
		n, err := unix.SysctlUint64(name)
		f.MemoryTotal = int64(n)
		return err
	})
	f.learn("uptime_seconds", func() error {
		boot, err := unix.SysctlTimeval("kern.boottime")
		if err == nil {
			f.UptimeSeconds = int64(time.Since(time.Unix(boot.Unix())).Seconds())
		}
		return err
	})
	f.Unknown = append(f.Unknown, "distribution", "memory_available", "load", "boot_id")
}
