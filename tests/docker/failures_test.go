package docker

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestDiagnose makes the real docker fail, and has each failure named.
func TestDiagnose(t *testing.T) {
	into(t)
	for _, c := range []struct {
		via    transport.Transport
		argv   string
		reason string
	}{
		{transport.Docker{Container: "no-such-container"}, program, transport.ReasonUnknownHost},
		{transport.Docker{Container: container, User: "nosuchuser"}, program, transport.ReasonUnknownUser},
		{transport.Docker{Container: container, User: "root:nosuchgroup"}, program, transport.ReasonUnknownUser},
		{transport.Docker{Container: container}, "/no/such/app", transport.ReasonNotFound},
		{transport.Docker{Container: container}, "/tmp", transport.ReasonNotRunnable},
		{transport.Docker{Container: container, Context: "no-such-context"}, program, transport.ReasonConfig},
		{transport.DockerRun{Image: "no-such-image:latest"}, program, transport.ReasonUnknownHost},
		{transport.DockerRun{Image: container, Network: "none"}, "/no/such/app", transport.ReasonNotFound},
		{transport.DockerRun{Image: container, Network: "none"}, "/tmp", transport.ReasonNotRunnable},
		{transport.DockerRun{Image: container, Network: "no-such-network"}, program, transport.ReasonConfig},
	} {
		argv, err := transport.Build(c.via, []string{c.argv})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		var ended *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		exit := transport.Exit{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
		if got := transport.Diagnose(c.via, exit); got.Reason != c.reason || got.Hop != c.via.String() || got.Advice == "" {
			t.Errorf("%s %s: %+v gave %+v, want %q", c.via, c.argv, exit, got, c.reason)
		}
	}
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
	_, err := whoami.On(delivery.Once{Via: via, Program: program})()
	var lost *box.DeliveryError
	if !errors.As(err, &lost) || lost.Fate != box.NotStarted || !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: got %+v, want %q", via, err, reason)
	}
}
