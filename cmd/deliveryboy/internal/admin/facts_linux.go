package admin

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// system learns what only the operating system knows.
func (f *Facts) system() {
	f.learn("kernel", f.kernel)
	f.learn("distribution", f.distribution)
	f.learn("memory_total", func() (err error) { f.MemoryTotal, err = memory("MemTotal"); return })
	f.learn("memory_available", func() (err error) { f.MemoryAvailable, err = memory("MemAvailable"); return })
	f.learn("load", f.load)
	f.learn("uptime_seconds", f.uptime)
	f.learn("boot_id", func() error {
		id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		f.BootID = strings.TrimSpace(string(id))
		return err
	})
}

func (f *Facts) kernel() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	f.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	return nil
}

func (f *Facts) distribution() error {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			f.Distribution = strings.Trim(value, `"'`)
			return nil
		}
	}
	return fmt.Errorf("no PRETTY_NAME")
}

// memory is a line of /proc/meminfo, in bytes.
func memory(name string) (int64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kB, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kB << 10, err
		}
	}
	return 0, fmt.Errorf("no %s", name)
}

func (f *Facts) load() error {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 3 {
		return fmt.Errorf("not three numbers")
	}
	for _, field := range fields[:3] {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return err
		}
		f.Load = append(f.Load, n)
	}
	return nil
}

func (f *Facts) uptime() error {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return err
	}
	seconds, _, _ := strings.Cut(string(text), ".")
	f.UptimeSeconds, err = strconv.ParseInt(seconds, 10, 64)
	return err
}
