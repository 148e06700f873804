// Package session tests warm workers against real parts: a copy of the test binary behind real sudo, a real sshd on
// loopback, both in a row, a user namespace, and a network that can be cut. The tests run as an ordinary user in a private
// place on this machine; see tests/stage.
//
// How much of it runs is set by the environment: SESSION_ROUNDS is how often each kind of death is tried (3; the full
// number is 100), SESSION_FULL=1 is full size for volume, corruption and soak.
package session

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/racewatch"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	playArgs(os.Args[1:])
	if role := os.Getenv("SESSION_ROLE"); role != "" {
		os.Exit(playRole(role))
	}
	st = stage.Enter(stage.Options{Keep: []string{"SESSION_*"}})
	if !full() { // also for the suite
		_ = flag.Set("test.short", "true")
	}
	os.Exit(races.Code(m.Run()))
}

// rounds is how often each kind of death is tried.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("SESSION_ROUNDS")); err == nil {
		return n
	}
	return 3
}

// full is for the sizes that take minutes.
func full() bool { return os.Getenv("SESSION_FULL") == "1" }

// sized is one of two numbers.
func sized[T any](inCI, inFull T) T {
	if full() {
		return inFull
	}
	return inCI
}

// races is the stderr of the workers.
var races racewatch.Watch

// A target is one way to a worker.
type target struct {
	name     string
	via      transport.Transport
	uid      int    // what the worker runs as; -1: as this process
	program  string // of the transport's own process; empty if the worker is this process's child
	guardian bool
	local    bool // descriptors pass
	alike    bool // is to another one of these for the suite with a worker for each call, which runs it only at full size
	need     func(stage.TB)
}

func sshHop() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
}

func targets() []target {
	return []target{
		{name: "self", via: transport.Self{}, uid: -1, local: true, need: func(stage.TB) {}},
		{name: "userns", via: transport.Userns{}, uid: 0, local: true, alike: true, need: func(t stage.TB) {
			if ok, why := st.Has(stage.Userns); !ok {
				t.Skip("NOT TESTED, no user namespaces: " + why)
			}
		}},
		{name: "sudo", via: transport.Sudo{}, uid: 0, program: "sudo", guardian: true, local: true, need: st.NeedSudo},
		{name: "ssh", via: sshHop(), uid: -1, program: "ssh", alike: true, need: st.NeedSSH},
		{name: "ssh then sudo", via: transport.Chain{sshHop(), transport.Sudo{}}, uid: 0, program: "ssh", guardian: true,
			need: func(t stage.TB) { st.NeedSSH(t); st.NeedSudo(t) }},
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

// overAll runs a test over every target.
func overAll(t *testing.T, f func(t *testing.T, tg target)) {
	for _, tg := range targets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			f(t, tg)
		})
	}
}

// open opens a session that is closed, without force, at the end of the test.
func open(t *testing.T, tg target, o session.Options) *session.Session {
	t.Helper()
	s := openRough(t, tg, o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// openRough opens a session that the test ends in its own way.
func openRough(t *testing.T, tg target, o session.Options) *session.Session {
	t.Helper()
	if o.Stderr == nil {
		o.Stderr = &races
	}
	s, err := delivery.Open(t.Context(), tg.via, o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return s
}

// sudoSession is a session on the target that most tests are about.
func sudoSession(t *testing.T, o session.Options) *session.Session {
	t.Helper()
	st.NeedSudo(t)
	return open(t, targetNamed("sudo"), o)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

// limited is a context that ends when a test hangs.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// arrives fails the test if nothing comes from c in time.
func arrives[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(3 * time.Minute):
		t.Fatalf("%s: nothing within 3 minutes", what)
	}
	panic("unreachable")
}

// usage is what this process holds: open files and goroutines.
type usage struct{ files, goroutines int }

// remains waits until this process holds no more than before, and says what is left otherwise.
func (u usage) remains(t *testing.T, after string) {
	t.Helper()
	var now usage
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if now = used(t); now.files <= u.files && now.goroutines <= u.goroutines {
			return
		}
	}
	t.Fatalf("%s: %d files and %d goroutines, before there were %d and %d\n%s\n%s", after, now.files, now.goroutines, u.files, u.goroutines, openFiles(), stacks())
}

func used(t *testing.T) usage {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return usage{len(entries), goroutines()}
}

func openFiles() string {
	var b strings.Builder
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name())
		fmt.Fprintf(&b, "%s → %s\n", e.Name(), to)
	}
	return b.String()
}
