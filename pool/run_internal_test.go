package pool

import (
	"context"
	"testing"
)

// BenchmarkRun is the far side of a command.
func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		if out, err := run(context.Background(), Order{Argv: []string{"/bin/true"}}); err != nil || out.Code != 0 {
			b.Fatal(err)
		}
	}
}
