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

const bulkSize = 64 << 20

var (
	// swallow takes bytes and says how many.
	swallow = registry.Register("bench.swallow", func(_ context.Context, b []byte) (int, error) { return len(b), nil })
	// produce gives n bytes in memory of their own.
	produce = registry.Register("bench.produce", func(_ context.Context, n int) ([]byte, error) { return stamped(n), nil })
)

// bulkRows are 64 MiB in one value: through the binary form of the wire, and through the text form, which survives a
// terminal.
func bulkRows() []row {
	binary, text := delivery.Once{Via: transport.Self{}}, delivery.Once{Via: transport.Self{}, Text: true}
	return []row{
		bulkRow("R6", "64 MiB argument", goal{AtLeast: 0.5}, func() (*race, error) { return argument(binary) }),
		bulkRow("R6", "64 MiB result", goal{AtLeast: 0.5}, func() (*race, error) { return resultOf(binary) }),
		bulkRow("R7", "64 MiB argument, text form", goal{AtLeast: 0.25}, func() (*race, error) { return argument(text) }),
		bulkRow("R7", "64 MiB result, text form", goal{AtLeast: 0.25}, func() (*race, error) { return resultOf(text) }),
	}
}

func bulkRow(id, name string, g goal, set func() (*race, error)) row {
	return row{
		id: id, name: name, unit: mebibytes, rounds: 20, spread: true,
		set: func(*stage.Stage) (*race, error) {
			r, err := set()
			if err == nil {
				r.rivals[0].goal = g
			}
			return r, err
		},
	}
}

func argument(once delivery.Once) (*race, error) {
	data := stamped(bulkSize)
	bare, err := floorVia(transport.Self{}, sink)
	bare.give = data
	call := swallow.On(once)
	return &race{
		ours: speed(bulkSize, func() error {
			n, err := call(context.Background(), data)
			if err == nil && n != bulkSize {
				err = fmt.Errorf("%d bytes arrived, not %d", n, bulkSize)
			}
			return err
		}),
		rivals: []rival{{name: "start of this program, 64 MiB into its pipe, and its end", run: speed(bulkSize, bare.run)}},
	}, err
}

func resultOf(once delivery.Once) (*race, error) {
	bare, err := floorVia(transport.Self{}, source, strconv.Itoa(bulkSize))
	bare.want = bulkSize
	call := produce.On(once)
	return &race{
		ours: speed(bulkSize, func() error {
			b, err := call(context.Background(), bulkSize)
			if err == nil {
				err = checkStamps(b, bulkSize)
			}
			return err
		}),
		rivals: []rival{{name: "start of this program, 64 MiB out of its pipe, and its end", run: speed(bulkSize, bare.run)}},
	}, err
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
