package docker

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/ways"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestDiagnose makes the real docker fail, and has each failure named.
func TestDiagnose(t *testing.T) {
	into(t)
	ways.Diagnose(t, []ways.Failure{
		{Via: transport.Docker{Container: "no-such-container"}, Program: program, Reason: transport.ReasonUnknownHost},
		{Via: transport.Docker{Container: container, User: "nosuchuser"}, Program: program, Reason: transport.ReasonUnknownUser},
		{Via: transport.Docker{Container: container, User: "root:nosuchgroup"}, Program: program, Reason: transport.ReasonUnknownUser},
		{Via: transport.Docker{Container: container}, Program: "/no/such/app", Reason: transport.ReasonNotFound},
		{Via: transport.Docker{Container: container}, Program: "/tmp", Reason: transport.ReasonNotRunnable},
		{Via: transport.Docker{Container: container, Context: "no-such-context"}, Program: program, Reason: transport.ReasonConfig},
		{Via: transport.DockerRun{Image: "no-such-image:latest"}, Program: program, Reason: transport.ReasonUnknownHost},
		{Via: transport.DockerRun{Image: container, Network: "none"}, Program: "/no/such/app", Reason: transport.ReasonNotFound},
		{Via: transport.DockerRun{Image: container, Network: "none"}, Program: "/tmp", Reason: transport.ReasonNotRunnable},
		{Via: transport.DockerRun{Image: container, Network: "no-such-network"}, Program: program, Reason: transport.ReasonConfig},
	})
}

// TestNoDaemon and no right to use it.
func TestNoDaemon(t *testing.T) {
	into(t)
	t.Setenv("DOCKER_HOST", "unix:///no/such.sock")
	fails(t, transport.Docker{Container: container}, transport.ReasonRefused)
	if os.Geteuid() != 0 {
		return
	}
	t.Setenv("DOCKER_HOST", "")
	docker := transport.Docker{Container: container, Program: dockerFile(t)}
	fails(t, transport.Chain{transport.Setpriv{User: "nobody", Group: "nogroup"}, docker}, transport.ReasonNotAllowed)
}

// fails wants a call to say so, and that nothing ran.
func fails(t *testing.T, via transport.Transport, reason string) {
	t.Helper()
	_, err := ways.Whoami.On(delivery.Once{Via: via, Program: program})()
	var lost *box.DeliveryError
	if !errors.As(err, &lost) || lost.Fate != box.NotStarted || !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: got %+v, want %q", via, err, reason)
	}
}
