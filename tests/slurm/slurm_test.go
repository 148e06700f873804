//go:build linux

package slurm

import (
	"errors"
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/ways"
	"github.com/seed354a1416/deliveryboy/transport"
)

// place says which ways there are to the node. It is this machine, so this program is there.
func place(t *testing.T) ways.Place {
	t.Helper()
	need(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return ways.Place{Program: program, Full: os.Getenv("SLURM_FULL") == "1", Ways: []ways.Way{
		{Name: "srun", Via: transport.SRun{}},
		{Name: "a node of a partition", Via: transport.SRun{Node: node, Partition: "debug"}},
	}}
}

func TestArgv(t *testing.T) { place(t).Argv(t) }

func TestConformance(t *testing.T) { place(t).Conformance(t) }

// TestTask: the task runs as who asked for it, and how its worker ended comes through srun.
func TestTask(t *testing.T) {
	p := place(t)
	for _, w := range p.Ways {
		t.Run(w.Name, func(t *testing.T) {
			c := delivery.Once{Via: w.Via, Program: p.Program}
			who, err := ways.Whoami.On(c)()
			if err != nil || who.UID != 0 || who.GID != 0 {
				t.Fatalf("%+v, %+v", who, err)
			}
			var remote *box.RemoteError
			if err := ways.Die.On(c)(9); !errors.As(err, &remote) || remote.Kind != box.Killed || remote.Signal != "SIGKILL" {
				t.Errorf("SIGKILL: %+v", err)
			}
		})
	}
}

// TestDiagnose makes the real srun fail, and has each failure named.
func TestDiagnose(t *testing.T) {
	p := place(t)
	ways.Diagnose(t, []ways.Failure{
		{Via: transport.SRun{Partition: "nope"}, Program: p.Program, Reason: transport.ReasonConfig},
		{Via: transport.SRun{Node: "nope"}, Program: p.Program, Reason: transport.ReasonUnknownHost},
		{Via: transport.SRun{}, Program: "/no/such/app", Reason: transport.ReasonNotFound},
		{Via: transport.SRun{}, Program: "/tmp", Reason: transport.ReasonNotRunnable},
	})
}
