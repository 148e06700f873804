//go:build linux

package podman

import (
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/tests/ways"
	"github.com/seed354a1416/deliveryboy/transport"
)

// place says which ways there are into the container.
func place(t *testing.T) ways.Place {
	t.Helper()
	need(t)
	plain := transport.Podman{Container: container}
	return ways.Place{Program: program, Host: true, Full: os.Getenv("PODMAN_FULL") == "1", Ways: []ways.Way{
		{Name: "exec", Via: plain, Suite: true},
		{Name: "exec as user", Via: transport.Podman{Container: container, User: "www"}, UID: 33, GID: 33},
		{Name: "exec as numbers", Via: transport.Podman{Container: container, User: "34:35"}, UID: 34, GID: 35},
		{Name: "run", Via: transport.DockerRun{Image: image, Network: "none", Program: "podman"}},
		{Name: "sudo, podman", Via: transport.Chain{transport.Sudo{}, transport.Podman{Container: container, Program: wrapper}}},
		{Name: "podman, su", Via: transport.Chain{plain, transport.Su{User: "www"}}, UID: 33, GID: 33},
	}}
}

func TestArgv(t *testing.T) { place(t).Argv(t) }

func TestWho(t *testing.T) { place(t).Who(t) }

func TestConformance(t *testing.T) { place(t).Conformance(t) }

// TestDiagnose makes the real podman fail, and has each failure named.
func TestDiagnose(t *testing.T) {
	need(t)
	if err := podman(nil, "create", "--pull=never", "--name", "idle", image, program); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = podman(nil, "rm", "--force", "idle") })
	ways.Diagnose(t, []ways.Failure{
		{Via: transport.Podman{Container: "no-such-container"}, Program: program, Reason: transport.ReasonUnknownHost},
		{Via: transport.Podman{Container: "idle"}, Program: program, Reason: transport.ReasonClosed},
		{Via: transport.Podman{Container: container, User: "nosuchuser"}, Program: program, Reason: transport.ReasonUnknownUser},
		{Via: transport.Podman{Container: container, User: "root:nosuchgroup"}, Program: program, Reason: transport.ReasonUnknownUser},
		{Via: transport.Podman{Container: container}, Program: "/no/such/app", Reason: transport.ReasonNotFound},
		{Via: transport.Podman{Container: container}, Program: "/tmp", Reason: transport.ReasonNotRunnable},
		{Via: transport.Podman{Container: container, Connection: "no-such-connection"}, Program: program, Reason: transport.ReasonConfig},
		{Via: transport.DockerRun{Image: image, Network: "none", Program: "podman"}, Program: "/no/such/app", Reason: transport.ReasonNotFound},
		{Via: transport.DockerRun{Image: "localhost/no-such-image", Program: "podman"}, Program: program, Reason: transport.ReasonUnknownHost},
	})
}
