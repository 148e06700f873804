package server

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/event"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/name"
	"github.com/seed354a1416/deliveryboy/kernel/value"
)

// TestSpec: the page about the protocol knows every command with its arguments, every option of sockets, and the limits.
func TestSpec(t *testing.T) {
	text, err := os.ReadFile("../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\|`, "|")
	want := []string{
		strings.TrimSpace(kernel.Banner), strings.TrimSpace(kernel.Denial), strings.TrimSpace(strings.ReplaceAll(full, "\n", "")),
		fmt.Sprintf("| %d %d · %d MiB · %d MiB |", line.MaxLine/1000, line.MaxLine%1000, line.MaxLines>>20, line.MaxLiteral>>20), fmt.Sprintf("1 to %d of", name.Max),
		fmt.Sprintf("| %d, or `--connections` |", defaultConnections), fmt.Sprintf("| %d MiB |", defaultMemory>>20), fmt.Sprintf("| %d |", mostRunning),
		fmt.Sprintf("up to %d MiB each", value.MaxValue>>20), fmt.Sprintf("%d %03d values and %d MiB", value.MaxNames/1000, value.MaxNames%1000, value.MaxTotal>>20),
		fmt.Sprintf("%.0f s ago", patience.Seconds()), fmt.Sprintf("the last %d events", event.Ring),
	}
	for _, seconds := range table {
		for _, c := range seconds {
			want = append(want, "`"+strings.TrimSpace(c.words+" "+c.args)+"`")
		}
	}
	for _, key := range kernel.SocketKeys {
		want = append(want, "| `"+key+"` |")
	}
	flat := strings.Join(strings.Fields(page), " ")
	for _, w := range want {
		if !strings.Contains(flat, strings.Join(strings.Fields(w), " ")) {
			t.Errorf("SPEC.md does not have %q", w)
		}
	}
}
