// Package ways holds ways into another place, such as a container, to what every way has to do: argv arrives, the function
// runs as who it should and is watched over, a worker there does all that a worker does, and failures are named. A test
// of a transport says which ways there are:
//
//	func TestArgv(t *testing.T) { place(t).Argv(t) }
//	func TestWho(t *testing.T)  { place(t).Who(t) }
package ways

import (
	"errors"
	"flag"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// A Way is a transport, and what is expected of it.
type Way struct {
	Name     string
	Via      transport.Transport
	UID, GID int
	Suite    bool // runs the suite of couriers with a warm worker also when not everything is asked for
	NoTools  bool // there are no cat and printf, which the suite of argv wants
	Unnamed  bool // which signal ended a worker does not come through
}

// A Place is where ways lead to.
type Place struct {
	Program string // this one, there
	Host    bool   // it has a host name of its own
	Full    bool   // everything is asked for: the suite of couriers over each way, with a worker for each call too
	Ways    []Way
}

// Who is who runs a function.
type Who struct {
	UID, GID int
	Host     string
	Guardian string // its parent's program, if that is one which delivers
}

var (
	// Whoami says who runs it.
	Whoami = registry.Register("ways.whoami", func() (w Who, err error) {
		status, err := os.ReadFile("/proc/self/stat")
		if err != nil {
			return w, err
		}
		argv, err := os.ReadFile("/proc/" + strings.Fields(string(status))[3] + "/cmdline")
		w = Who{UID: os.Getuid(), GID: os.Getgid()}
		if words := strings.Split(string(argv), "\x00"); err == nil && len(words) > 1 && words[1] == "__deliver" {
			w.Guardian = words[0]
		}
		w.Host, err = os.Hostname()
		return w, err
	})
	// Die ends its process by a signal.
	Die = registry.Register("ways.die", func(sig int) error { return syscall.Kill(os.Getpid(), syscall.Signal(sig)) })
)

// Argv runs the suite of transports over each way.
func (p Place) Argv(t *testing.T) {
	for _, w := range p.Ways {
		if !w.NoTools {
			t.Run(w.Name, func(t *testing.T) { transporttest.Run(t, w.Via, transporttest.Local) })
		}
	}
}

// Who looks who runs a function behind each way, who watches over it, and that the guardian tells its worker's end.
func (p Place) Who(t *testing.T) {
	here, _ := os.Hostname()
	for _, w := range p.Ways {
		t.Run(w.Name, func(t *testing.T) {
			c := delivery.Once{Via: w.Via, Program: p.Program}
			got, err := Whoami.On(c)()
			if err != nil {
				t.Fatalf("%+v", err)
			}
			if got.UID != w.UID || got.GID != w.GID || got.Guardian != p.Program || (got.Host != here) != p.Host {
				t.Errorf("ran as %+v, want uid %d, gid %d, guardian %s, on another host: %t", got, w.UID, w.GID, p.Program, p.Host)
			}
			var remote *box.RemoteError
			err = Die.On(c)(int(syscall.SIGKILL))
			if !errors.As(err, &remote) || remote.Kind != box.Killed || remote.Signal != "SIGKILL" && !w.Unnamed {
				t.Errorf("SIGKILL: %+v", err)
			}
		})
	}
}

// Conformance runs the suite of couriers: a warm worker behind each way, and one for each call. Its volumes are small, but
// for the ways that run it always, when everything is asked for: bytes are a session's business, not a way's.
func (p Place) Conformance(t *testing.T) {
	for _, w := range p.Ways {
		t.Run("session/"+w.Name, func(t *testing.T) {
			if !w.Suite && !p.Full {
				t.Skip("as another one; the variable of this package that ends in _FULL runs it")
			}
			short(t, !w.Suite || !p.Full)
			couriertest.Run(t, func(t *testing.T) box.Courier { return p.open(t, w) })
		})
		t.Run("once/"+w.Name, func(t *testing.T) {
			if !p.Full {
				t.Skip("each call starts a worker there, which takes long; the variable of this package that ends in _FULL runs it")
			}
			short(t, true)
			couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: w.Via, Program: p.Program} })
		})
	}
}

// endPatience is for the end of what brought a worker into a container: on a busy machine that takes seconds.
const endPatience = 30 * time.Second

// open opens a session that is closed, without force, at the end of the test.
func (p Place) open(t *testing.T, w Way) *session.Session {
	t.Helper()
	s, err := delivery.Open(t.Context(), w.Via, session.Options{Program: p.Program, Grace: endPatience})
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

// short sets what testing.Short says for a test.
func short(t *testing.T, on bool) {
	t.Helper()
	before := testing.Short()
	set := func(on bool) {
		if err := flag.Set("test.short", map[bool]string{true: "true", false: "false"}[on]); err != nil {
			t.Error(err)
		}
	}
	set(on)
	t.Cleanup(func() { set(before) })
}

// Need skips a test for which something is missing, and says why; in CI it fails it.
func Need(t testing.TB, what, missing string) {
	t.Helper()
	switch {
	case missing == "":
	case os.Getenv("CI") != "":
		t.Fatal("no "+what+": ", missing)
	default:
		t.Skip("NOT TESTED, no "+what+": ", missing)
	}
}
