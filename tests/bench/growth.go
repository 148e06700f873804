package main

import (
	"context"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// mirror gives back what it gets.
var mirror = registry.Register("bench.mirror", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })

// growthRows show how a cold call grows with what it carries, there and back. They have no goals: the curve tells.
func growthRows() []row {
	var list []row
	for _, size := range []struct {
		name  string
		bytes int
	}{{"128 B", 128}, {"4 KiB", 4 << 10}, {"64 KiB", 64 << 10}, {"1 MiB", 1 << 20}} {
		list = append(list, row{
			id: "growth", name: "cold call, " + size.name + " there and back", unit: milliseconds, rounds: 100,
			set: func(*stage.Stage) (*race, error) { return thereAndBack(size.bytes) },
		})
	}
	return list
}

func thereAndBack(n int) (*race, error) {
	data := stamped(n)
	bare, err := floorVia(transport.Self{}, echo)
	bare.give, bare.want = data, n
	call := mirror.On(delivery.Once{Via: transport.Self{}})
	return &race{
		ours: took(func() error {
			b, err := call(context.Background(), data)
			if err == nil {
				err = checkStamps(b, n)
			}
			return err
		}),
		rivals: []rival{{name: "start, echo, end", run: took(bare.run)}},
	}, err
}
