//go:build linux

// Package job tests jobs against real parts: keepers behind real sudo, a real sshd on loopback, both in a row, and a user
// namespace, in a private place on this machine; see tests/stage.
//
// JOB_FULL=1 is full size for numbers that take minutes; JOB_ROUNDS is how often each kind of death is tried.
package job

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	if role := os.Getenv("JOB_ROLE"); role != "" {
		os.Exit(playRole(role, os.Getenv("JOB_ARG")))
	}
	st = stage.Enter(stage.Options{Keep: []string{"JOB_*"}})
	os.Exit(m.Run())
}

func full() bool { return os.Getenv("JOB_FULL") == "1" }

func sized(inCI, inFull int) int {
	if full() {
		return inFull
	}
	return inCI
}

func rounds(inCI int) int {
	if n, err := strconv.Atoi(os.Getenv("JOB_ROUNDS")); err == nil {
		return n
	}
	return inCI
}

// A target is one way to where jobs run.
type target struct {
	name string
	via  transport.Transport
	need func(stage.TB)
}

func sshHop() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
}

func targets() []target {
	return []target{
		{"self", transport.Self{}, func(stage.TB) {}},
		{"userns", transport.Userns{}, func(t stage.TB) {
			if ok, why := st.Has(stage.Userns); !ok {
				t.Skip("NOT TESTED, no user namespaces: " + why)
			}
		}},
		{"sudo", transport.Sudo{}, st.NeedSudo},
		{"ssh", sshHop(), st.NeedSSH},
		{"ssh then sudo", transport.Chain{sshHop(), transport.Sudo{}}, func(t stage.TB) { st.NeedSSH(t); st.NeedSudo(t) }},
	}
}

func targetNamed(name string) target {
	for _, tg := range targets() {
		if tg.name == name {
			return tg
		}
	}
	panic("no target " + name)
}

// everywhere runs a test on every target, with a courier for single calls.
func everywhere(t *testing.T, f func(t *testing.T, c box.Courier)) {
	for _, tg := range targets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			f(t, once(tg.via))
		})
	}
}

// once is a courier whose output is the test's.
func once(via transport.Transport) delivery.Once { return delivery.Once{Via: via, Stdout: os.Stderr} }

// short is a context for what should not take long on a slow machine.
func short(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30s: %s", what)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("%+v", err))
	}
	return v
}
