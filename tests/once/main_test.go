// Package once tests the one-shot courier against real parts: a fresh copy of the test binary behind real sudo, a real
// sshd on loopback, both in a row, and a user namespace. The tests run as an ordinary user in a private place on this
// machine; see tests/stage.
package once

import (
	"fmt"
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/racewatch"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// init prints, as some libraries do: it comes before the worker's first word.
func init() { //nolint:gochecknoinits // the noise is the point
	if len(os.Args) > 1 && os.Args[1] == "__deliver" {
		fmt.Println("init noise on stdout")
		fmt.Fprintln(os.Stderr, "init noise on stderr")
	}
}

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	if role := os.Getenv("ONCE_ROLE"); role != "" {
		playRole(role)
	}
	st = stage.Enter(stage.Options{Keep: []string{"ONCE_ROUNDS"}})
	os.Exit(races.Code(m.Run()))
}

// races is the stderr of the workers.
var races racewatch.Watch

// A target is one way to a worker.
type target struct {
	name string
	via  transport.Transport
	uid  int // what the worker runs as; -1: as this process
	need func(stage.TB)
}

func sshHop() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
}

func targets() []target {
	return []target{
		{"self", transport.Self{}, -1, func(stage.TB) {}},
		{"userns", transport.Userns{}, 0, func(t stage.TB) {
			if ok, why := st.Has(stage.Userns); !ok {
				t.Skip("user namespaces: " + why)
			}
		}},
		{"sudo", transport.Sudo{}, 0, st.NeedSudo},
		{"sudo to another user", transport.Sudo{User: st.Second}, st.SecondUID, st.NeedSudo},
		{"ssh", sshHop(), -1, st.NeedSSH},
		{"ssh then sudo", transport.Chain{sshHop(), transport.Sudo{}}, 0, func(t stage.TB) { st.NeedSSH(t); st.NeedSudo(t) }},
	}
}

// overAll runs a test over every target.
func overAll(t *testing.T, f func(t *testing.T, tg target, once delivery.Once)) {
	for _, tg := range targets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			f(t, tg, delivery.Once{Via: tg.via, Stderr: &races})
		})
	}
}
