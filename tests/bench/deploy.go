package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// deployRows are calls for which this program comes along.
func deployRows() []row {
	return []row{
		{
			id: "R18", name: "program is there, ssh, own connection", unit: milliseconds, rounds: 20, needs: []string{stage.SSH},
			set: func(st *stage.Stage) (*race, error) { return programThere(st, true) },
		},
		{
			id: "R18", name: "program is there, ssh, shared connection", unit: milliseconds, rounds: 100, needs: []string{stage.SSH},
			set: func(st *stage.Stage) (*race, error) { return programThere(st, false) },
		},
		{
			id: "R18", name: "program comes along, ssh, own connection", unit: milliseconds, rounds: 20, needs: []string{stage.SSH},
			set: programComes,
		},
	}
}

// programThere is a call that finds the program in the cache, against one that knows where it is.
func programThere(st *stage.Stage, own bool) (*race, error) {
	cache, err := os.MkdirTemp(st.Home, "bench")
	if err != nil {
		return nil, err
	}
	via := hop(st)
	via.NoShare = own
	return &race{
		ours:   took(func() error { return callNext(deployed(via, filepath.Join(cache, "bin"))) }),
		rivals: []rival{{name: "cold call", goal: goal{AtMost: 1.1}, run: took(func() error { return callNext(delivery.Once{Via: via}) })}},
		done: func() {
			if !own {
				_ = via.CloseShared(context.Background())
			}
			_ = os.RemoveAll(cache)
		},
	}, nil
}

// programComes is a call for which the program travels, against a copy of its file with scp.
func programComes(st *stage.Stage) (*race, error) {
	home, err := os.MkdirTemp(st.Home, "bench")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	via := hop(st)
	via.NoShare = true
	n := 0
	return &race{
		ours: took(func() error {
			n++
			return callNext(deployed(via, filepath.Join(home, strconv.Itoa(n))))
		}),
		rivals: []rival{{name: "scp", goal: goal{AtMost: 1.2}, run: took(func() error {
			out, err := exec.Command("scp", "-q", "-F", st.SSHConfig, "-o", "ControlPath=none", "-P", strconv.Itoa(st.SSHPort), //nolint:noctx // ends by itself
				self, st.User+"@127.0.0.1:"+filepath.Join(home, "scp")).CombinedOutput()
			if err != nil {
				return fmt.Errorf("scp: %w: %s", err, out)
			}
			return nil
		})}},
		done: func() { _ = os.RemoveAll(home) },
	}, nil
}

func deployed(via transport.Transport, cache string) delivery.Once {
	return delivery.Once{Via: via, Deploy: deploy.Options{On: true, Cache: cache}}
}

// callNext calls the smallest function.
func callNext(c box.Courier) error {
	n, err := next.On(c)(context.Background(), 41)
	if err == nil && n != 42 {
		err = fmt.Errorf("41 + 1 is %d", n)
	}
	return err
}
