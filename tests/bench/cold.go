package main

import (
	"context"
	"fmt"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// next is the smallest function that shows that it ran.
var next = registry.Register("bench.next", func(_ context.Context, n int) (int, error) { return n + 1, nil })

// coldRow is a call in a fresh copy of this program, without a change of user.
func coldRow() row {
	return row{
		id: "R1", name: "cold call", unit: milliseconds, rounds: 300,
		set: func(*stage.Stage) (*race, error) { return coldCall(transport.Self{}, goal{AtMost: 1.25}) },
	}
}

// sudoRow is a call as root.
func sudoRow() row {
	return row{
		id: "R2", name: "cold call, sudo", unit: milliseconds, rounds: 200, needs: []string{stage.Sudo},
		// With a guardian between sudo and the worker: one more start of this program.
		set: func(*stage.Stage) (*race, error) { return coldCall(transport.Sudo{}, goal{AtMost: 1.35}) },
	}
}

// coldCall is a call through a transport, against the start of this program in the same way.
func coldCall(via transport.Transport, g goal) (*race, error) { return coldAgainst(via, via, g) }

// coldAgainst is a call through a transport, against the start of this program through another one.
func coldAgainst(via, other transport.Transport, g goal) (*race, error) {
	bare, err := floorVia(other, noop)
	if err != nil {
		return nil, err
	}
	call := next.On(delivery.Once{Via: via})
	return &race{
		ours: took(func() error {
			n, err := call(context.Background(), 41)
			if err == nil && n != 42 {
				err = fmt.Errorf("41 + 1 is %d", n)
			}
			return err
		}),
		rivals: []rival{{name: "start, end", goal: g, run: took(bare.run)}},
	}, nil
}
