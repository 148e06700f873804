package armour

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func BenchmarkWrite(b *testing.B) {
	payload := random(64 << 20)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if err := Write(io.Discard, label, nonce, payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	for _, reuse := range []bool{false, true} {
		b.Run(fmt.Sprintf("reuse=%t", reuse), func(b *testing.B) {
			payload := random(64 << 20)
			text := block(b, label, nonce, payload)
			b.SetBytes(int64(len(payload)))
			var buf []byte
			for b.Loop() {
				got, err := scan(text).Next(buf)
				if err != nil || len(got) != len(payload) {
					b.Fatal(len(got), err)
				}
				if reuse {
					buf = got
				}
			}
		})
	}
}

func BenchmarkScanNoise(b *testing.B) {
	text := strings.Repeat("=====BEGIN DELIVERY =====  welcome to this machine, do not panic\n", 1<<20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := scan(text).Next(nil); err != io.EOF {
			b.Fatal(err)
		}
	}
}
