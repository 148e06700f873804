//go:build linux

package pkexec

import (
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/tests/ways"
	"github.com/seed354a1416/deliveryboy/transport"
)

// place says which ways there are to other users.
func place(t *testing.T) ways.Place {
	t.Helper()
	need(t)
	return ways.Place{Program: st.Binary, Full: os.Getenv("PKEXEC_FULL") == "1", Ways: []ways.Way{
		{Name: "as root", Via: transport.Pkexec{}},
		{Name: "as a user", Via: transport.Pkexec{User: st.Second}, UID: st.SecondUID, GID: st.SecondGID},
	}}
}

func TestArgv(t *testing.T) { place(t).Argv(t) }

func TestWho(t *testing.T) { place(t).Who(t) }

func TestConformance(t *testing.T) { place(t).Conformance(t) }

// TestDiagnose makes the real pkexec fail, and has each failure named.
func TestDiagnose(t *testing.T) {
	need(t)
	ways.Diagnose(t, []ways.Failure{
		{Via: transport.Pkexec{User: "nosuchuser"}, Program: "/bin/true", Reason: transport.ReasonUnknownUser},
		{Via: transport.Pkexec{}, Program: "/no/such/app", Reason: transport.ReasonNotFound},
		{Via: transport.Chain{transport.Setpriv{NoNewPrivs: true}, transport.Pkexec{}}, Program: "/bin/true", Reason: transport.ReasonNoPrivilege},
		{Via: transport.Chain{transport.Sudo{User: st.Second}, transport.Pkexec{}}, Program: "/bin/true", Reason: transport.ReasonPassword},
	})
}
