package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// bulkSize is what the bulk rows move; tests, which are not about speed, move less.
var bulkSize = 64 << 20

var (
	// swallow takes bytes and says how many.
	swallow = registry.Register("bench.swallow", func(_ context.Context, b []byte) (int, error) { return len(b), nil })
	// produce gives n bytes in memory of their own.
	produce = registry.Register("bench.produce", func(_ context.Context, n int) ([]byte, error) { return stamped(n), nil })
)

// bulkRows are 64 MiB in one value: through the binary form of the wire, and through the text form, which survives a
// terminal. The goals are for a bare copy, in which both ends use the same pipeful of memory again and again. A value has
// to be in memory as a whole, at both ends; the copy that does the same shows how much of the distance is only that.
func bulkRows() []row {
	binary, text := delivery.Once{Via: transport.Self{}}, delivery.Once{Via: transport.Self{}, Text: true}
	return []row{
		bulkRow("R6", "64 MiB argument", func() (*race, error) { return argument(binary, goal{AtLeast: 0.5}) }),
		bulkRow("R6", "64 MiB result", func() (*race, error) { return resultOf(binary, goal{AtLeast: 0.5}) }),
		bulkRow("R7", "64 MiB argument, text form", func() (*race, error) { return argument(text, goal{AtLeast: 0.25}) }),
		bulkRow("R7", "64 MiB result, text form", func() (*race, error) { return resultOf(text, goal{AtLeast: 0.25}) }),
	}
}

func bulkRow(id, name string, set func() (*race, error)) row {
	return row{
		id: id, name: name, unit: mebibytes, rounds: 20, spread: true,
		set: func(*stage.Stage) (*race, error) { return set() },
	}
}

func argument(once delivery.Once, g goal) (*race, error) {
	data := stamped(bulkSize)
	bare, err := floorVia(transport.Self{}, sink)
	if err != nil {
		return nil, err
	}
	whole, err := floorVia(transport.Self{}, hold, strconv.Itoa(bulkSize))
	bare.give, whole.give = data, data
	call := swallow.On(once)
	return &race{
		ours: speed(bulkSize, func() error {
			n, err := call(context.Background(), data)
			if err == nil && n != bulkSize {
				err = fmt.Errorf("%d bytes arrived, not %d", n, bulkSize)
			}
			return err
		}),
		rivals: copies(bare, whole, g),
	}, err
}

func resultOf(once delivery.Once, g goal) (*race, error) {
	bare, err := floorVia(transport.Self{}, source, strconv.Itoa(bulkSize))
	if err != nil {
		return nil, err
	}
	whole, err := floorVia(transport.Self{}, yield, strconv.Itoa(bulkSize))
	bare.want, whole.want, whole.keep = bulkSize, bulkSize, true
	call := produce.On(once)
	return &race{
		ours: speed(bulkSize, func() error {
			b, err := call(context.Background(), bulkSize)
			if err == nil {
				err = checkStamps(b, bulkSize)
			}
			return err
		}),
		rivals: copies(bare, whole, g),
	}, err
}

func copies(bare, whole floor, g goal) []rival {
	return []rival{
		{name: "pipe copy", goal: g, run: speed(bulkSize, bare.run)},
		{name: "copy of a whole", run: speed(bulkSize, whole.run)},
	}
}

// page is how far stamps are apart.
const page = 4 << 10

// stamped returns n bytes with a mark on every page, so that there is memory behind each, not one page of zeros behind all.
func stamped(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += page {
		b[i] = stamp(i)
	}
	return b
}

func stamp(i int) byte { return byte(i/page) | 1 }

// checkStamps says whether b is what stamped returns.
func checkStamps(b []byte, n int) error {
	if len(b) != n {
		return fmt.Errorf("%d bytes arrived, not %d", len(b), n)
	}
	for i := 0; i < n; i += page {
		if b[i] != stamp(i) {
			return fmt.Errorf("byte %d is %#x, not %#x", i, b[i], stamp(i))
		}
	}
	return nil
}
