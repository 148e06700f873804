package session

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

func goroutines() int { return runtime.NumGoroutine() }

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// Memory is what the kernel says about this process, in bytes.
type Memory struct{ Now, Peak int64 }

// startPeak forgets the peak of this process so far.
func startPeak() (Memory, error) {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return Memory{}, err
	}
	return memory()
}

func memory() (Memory, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		for name, into := range map[string]*int64{"VmRSS": &m.Now, "VmHWM": &m.Peak} {
			if key != name {
				continue
			}
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return m, fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
			}
			*into = kib << 10
		}
	}
	return m, nil
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
