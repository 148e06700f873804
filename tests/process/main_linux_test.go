// Package process tests processes over couriers, against real parts: a copy of the test binary behind real sudo, a real sshd
// on loopback, both in a row, and a user namespace, each with a worker for every process and with one for many. The tests
// run as an ordinary user in a private place on this machine; see tests/stage. Containers are in tests/docker.
//
// PROCESS_ROUNDS is how often each kind of death is tried: 5 without it. PROCESS_STARTS is how many are started in a row: 500.
package process

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/process/processtest"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/racewatch"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	if os.Getenv("PROCESS_ROLE") != "unregistered" {
		process.Register()
	}
	delivery.Main()
	if role := os.Getenv("PROCESS_ROLE"); role != "" {
		os.Exit(playRole(role))
	}
	st = stage.Enter(stage.Options{Keep: []string{"PROCESS_ROUNDS", "PROCESS_STARTS"}})
	os.Exit(races.Code(m.Run()))
}

// races is the stderr of the workers.
var races racewatch.Watch

func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("PROCESS_ROUNDS")); err == nil {
		return n
	}
	return 5
}

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
		{"sudo", transport.Sudo{}, 0, st.NeedSudo},
		{"sudo to another user", transport.Sudo{User: st.Second}, st.SecondUID, st.NeedSudo},
		{"ssh", sshHop(), -1, st.NeedSSH},
		{"ssh then sudo", transport.Chain{sshHop(), transport.Sudo{}}, 0, func(t stage.TB) { st.NeedSSH(t); st.NeedSudo(t) }},
	}
}

func openSession(t *testing.T, via transport.Transport) *session.Session {
	t.Helper()
	s, err := delivery.Open(t.Context(), via, session.Options{Stderr: &races})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// TestSuite is what processes and commands do everywhere.
func TestSuite(t *testing.T) {
	for _, tg := range targets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			t.Run("session", func(t *testing.T) {
				processtest.Run(t, processtest.Place{Courier: openSession(t, tg.via), Warm: true, UID: tg.uid})
			})
			t.Run("once", func(t *testing.T) {
				processtest.Run(t, processtest.Place{Courier: delivery.Once{Via: tg.via, Stderr: &races}, UID: tg.uid})
			})
		})
	}
	t.Run("once in this process", func(t *testing.T) {
		processtest.Run(t, processtest.Place{Courier: delivery.Once{}, Warm: true, UID: -1})
	})
	noSurvivors(t, "the suite")
}

func noSurvivors(t *testing.T, after string) {
	t.Helper()
	if ok, _ := st.Has(stage.RootHelper); ok {
		st.WaitForSurvivors(t, 0, 30*time.Second, after)
	}
}
