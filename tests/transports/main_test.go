// Package transports tests every transport that can run on one machine, against the real tools: what arrives, who runs it,
// who watches over it, and chains of several. The tests run as root in a private place on this machine, see tests/stage;
// containers are in tests/docker.
//
// TRANSPORTS_ARGV is how many random argv each way gets (5000, and a tenth through chains; the full number is 100000).
// TRANSPORTS_FULL=1 runs the suite over all ways, also over those that differ little.
package transports

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	st = stage.Enter(stage.Options{StayRoot: true, Keep: []string{"TRANSPORTS_*"}})
	_ = flag.Set("test.short", "true") // for the suite, which runs many times
	os.Exit(m.Run())
}

// Who is who runs a function, and who watches over it.
type Who struct {
	UID, GID, PID, Parent int
	Groups                []int
	Guarded               bool // the parent is this same program, and not the caller
	Dir                   string
}

var whoami = registry.Register("transports.whoami", func(caller int) (w Who, err error) {
	w = Who{UID: os.Getuid(), GID: os.Getgid(), PID: os.Getpid(), Parent: os.Getppid()}
	if w.Groups, err = os.Getgroups(); err != nil {
		return w, err
	}
	mine, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return w, nil // without /proc there is no guardian
	}
	its, err := os.Readlink("/proc/" + strconv.Itoa(w.Parent) + "/exe")
	w.Guarded = err == nil && its == mine && w.Parent != caller
	w.Dir, err = os.Getwd()
	return w, err
})

// need skips what cannot run here; in CI it fails.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if ok, why := st.Has(stage.Private); !ok {
		missing(t, "stage: "+why)
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program)
		}
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("CI must have " + what)
	}
	t.Skip("NOT TESTED, no " + what)
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

// asUser is the hop that makes root the stage's ordinary user.
func asUser() transport.Setpriv {
	return transport.Setpriv{User: st.User, Group: "#" + strconv.Itoa(st.GID)}
}

func sshAs(user string) transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: user, ConfigFile: st.SSHConfig}
}
