//go:build linux

package lxc

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
	plain := transport.LXCAttach{Container: container}
	return ways.Place{Program: program, Host: true, Full: os.Getenv("LXC_FULL") == "1", Ways: []ways.Way{
		{Name: "attach", Via: plain},
		{Name: "sudo, attach", Via: transport.Chain{transport.Sudo{}, plain}},
		{Name: "attach, su", Via: transport.Chain{plain, transport.Su{User: "www"}}, UID: 33, GID: 33},
	}}
}

func TestArgv(t *testing.T) { place(t).Argv(t) }

func TestWho(t *testing.T) { place(t).Who(t) }

func TestConformance(t *testing.T) { place(t).Conformance(t) }

// TestDiagnose makes the real lxc-attach fail, and has each failure named.
func TestDiagnose(t *testing.T) {
	need(t)
	ways.Diagnose(t, []ways.Failure{
		{Via: transport.LXCAttach{Container: "no-such-container"}, Program: program, Reason: transport.ReasonUnknownHost},
		{Via: transport.LXCAttach{Container: container}, Program: "/no/such/app", Reason: transport.ReasonNotFound},
		{Via: transport.LXCAttach{Container: container}, Program: "/tmp", Reason: transport.ReasonNotRunnable},
		{Via: transport.Chain{transport.Setpriv{User: "nobody", Group: "nogroup"}, transport.LXCAttach{Container: container}}, Program: program, Reason: transport.ReasonNotAllowed},
	})
}
