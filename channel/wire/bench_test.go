package wire

import (
	"io"
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

// The floor of the next benchmarks: 64 MiB through an OS pipe into memory that is used again, or made for each copy.

const benchSize = 64 << 20

func BenchmarkRawPipe(b *testing.B) {
	for name, fresh := range map[string]bool{"reused": false, "fresh": true} {
		b.Run(name, func(b *testing.B) {
			sent, got := random(benchSize), make([]byte, benchSize)
			benchPipe(b, func(w *os.File) error { _, err := w.Write(sent); return err }, func(r *os.File) func() error {
				return func() error {
					if fresh {
						got = make([]byte, benchSize)
					}
					_, err := io.ReadFull(r, got)
					return err
				}
			})
		})
	}
}

// BenchmarkMessage is one call with an argument of 64 MiB, whose memory is new each time.
func BenchmarkMessage(b *testing.B) {
	for name, form := range forms {
		b.Run(name, func(b *testing.B) {
			sent := [][]byte{random(100), random(benchSize)}
			var out *Wire
			benchPipe(b, func(w *os.File) error {
				if out == nil {
					out = form(nil, w, Worker, Options{})
				}
				return out.WriteMessage(Reply, 1, sent)
			}, func(r *os.File) func() error {
				in := form(armour.NewReader(r), nil, Caller, Options{})
				return func() error { _, err := in.Next(); return err }
			})
		})
	}
}

// benchPipe runs write and read at the two ends of a pipe, once each per round.
func benchPipe(b *testing.B, write func(*os.File) error, reader func(*os.File) func() error) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	read := reader(r)
	rounds, written := make(chan bool), make(chan error, 1)
	go func() {
		defer close(written)
		for range rounds {
			if err := write(w); err != nil {
				written <- err
				return
			}
		}
	}()
	b.SetBytes(benchSize)
	for b.Loop() {
		rounds <- true
		if err := read(); err != nil {
			b.Fatal(err)
		}
	}
	close(rounds)
	if err := <-written; err != nil {
		b.Fatal(err)
	}
	w.Close()
}

// BenchmarkSmallFrame is what one line of output costs both sides, without the pipe.
func BenchmarkSmallFrame(b *testing.B) {
	for name, form := range forms {
		b.Run(name, func(b *testing.B) {
			r, w := io.Pipe()
			defer r.Close()
			out, in, line := form(nil, w, Worker, Options{}), form(r, nil, Caller, Options{}), random(100)
			go func() {
				for out.WriteFrame(Started, 0, 1, line) == nil {
				}
			}()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := in.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
