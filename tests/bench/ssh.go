package main

import (
	"context"
	"fmt"
	"os"

	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/xssh"
)

// sshRows are calls through a real sshd: with a connection of their own, and over one that is there.
func sshRows() []row {
	return []row{
		{
			id: "R3", name: "cold call, ssh, own connection", unit: milliseconds, rounds: 20, needs: []string{stage.SSH},
			set: func(st *stage.Stage) (*race, error) {
				via := hop(st)
				via.NoShare = true
				return coldCall(via, goal{AtMost: 1.05})
			},
		},
		{
			id: "R3", name: "cold call, ssh, shared connection", unit: milliseconds, rounds: 100, needs: []string{stage.SSH},
			set: sharedConnection,
		},
		{
			id: "R3", name: "cold call, ssh in this process, own connection", unit: milliseconds, rounds: 20, needs: []string{stage.SSH},
			set: func(st *stage.Stage) (*race, error) {
				program := hop(st)
				program.NoShare = true
				here := xssh.SSH{Host: program.Host, Port: program.Port, User: program.User, ConfigFile: program.ConfigFile}
				return coldAgainst(here, program, goal{AtMost: 0.5})
			},
		},
	}
}

func hop(st *stage.Stage) transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
}

// sharedConnection lets the first turn open the connection, which does not count.
func sharedConnection(st *stage.Stage) (*race, error) {
	via := hop(st)
	r, err := coldCall(via, goal{AtMost: 1.05})
	if err != nil {
		return nil, err
	}
	r.done = func() {
		if err := via.CloseShared(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	return r, nil
}
