package child

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// ParseSignal reads a signal: its number, or its name with or without SIG.
func ParseSignal(word string) (unix.Signal, error) {
	if n, err := strconv.ParseUint(word, 10, 8); err == nil && n <= 64 {
		return unix.Signal(n), nil
	}
	name := strings.ToUpper(word)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if s := unix.SignalNum(name); s != 0 {
		return s, nil
	}
	return 0, kernel.Errorf(kernel.Usage, "Unknown signal %s", line.Quote(word[:min(len(word), 40)]))
}
