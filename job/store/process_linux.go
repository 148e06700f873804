package store

import (
	"os"
	"strings"

	"github.com/seed354a1416/deliveryboy/internal/proctree"
)

// Self is this process.
func Self() Process {
	p := Process{PID: os.Getpid()}
	if st, ok := proctree.StatOf(p.PID); ok {
		p.Start = st.Start
	}
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		p.Boot = strings.TrimSpace(string(id))
	}
	return p
}
