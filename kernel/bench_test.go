package kernel_test

import (
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
)

// BenchmarkValue is one value there and back, over one connection, with the kernel in the same process.
func BenchmarkValue(b *testing.B) {
	c := kerneltest.Open(b)
	data := strings.Repeat("x", 128)
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Set(b.Context(), "v", data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Get(b.Context(), "v"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
