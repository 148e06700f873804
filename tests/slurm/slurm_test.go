//go:build linux

package slurm

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
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

// TestConformance goes one way: which node it is makes no difference to what passes.
func TestConformance(t *testing.T) {
	p := place(t)
	p.Ways = p.Ways[:1]
	p.Conformance(t)
}

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

// short is a patience that ends: what it is for does not come.
const short = 3 * time.Second

// TestTurn: a task whose turn does not come is no hang, and the error says what it waited for.
func TestTurn(t *testing.T) {
	p := place(t)
	order(t, "scontrol", "update", "NodeName="+node, "State=DRAIN", "Reason=test")
	t.Cleanup(func() { order(t, "scontrol", "update", "NodeName="+node, "State=RESUME") })
	err := ways.Die.On(delivery.Once{Via: transport.SRun{}, Program: p.Program, Patience: short})(0)
	busy(t, err)
}

// TestStep: within a job, a session waits for another one's end, and says so, unless steps share what the job has.
func TestStep(t *testing.T) {
	p := place(t)
	said := order(t, "salloc", "--no-shell", "--nodes=1", "--ntasks=1")
	_, job, _ := strings.Cut(said, "Granted job allocation ")
	job, _, _ = strings.Cut(job, "\n")
	t.Cleanup(func() { order(t, "scancel", job) })
	t.Setenv("SLURM_JOB_ID", job)
	open := func(patience time.Duration) error {
		s, err := delivery.Open(t.Context(), transport.SRun{}, session.Options{Program: p.Program, Patience: patience})
		if err != nil {
			return err
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		_, err = ways.Whoami.On(s)()
		return err
	}
	if err := open(time.Minute); err != nil {
		t.Fatalf("%+v", err)
	}
	busy(t, open(short))
	t.Setenv("SLURM_OVERLAP", "1")
	if err := open(time.Minute); err != nil {
		t.Errorf("with SLURM_OVERLAP: %+v", err)
	}
}

// TestVariables: variables for srun that would have streams go elsewhere have no effect; the one that cannot be undone is no hang.
func TestVariables(t *testing.T) {
	p := place(t)
	once := delivery.Once{Via: transport.SRun{}, Program: p.Program}
	for _, name := range []string{"SLURM_STDINMODE", "SLURM_STDOUTMODE", "SLURM_STDERRMODE"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "none")
			if _, err := ways.Whoami.On(once)(); err != nil {
				t.Errorf("%+v", err)
			}
		})
	}
	t.Run("SLURM_LABELIO", func(t *testing.T) {
		t.Setenv("SLURM_LABELIO", "1")
		once.Patience = short
		_, err := ways.Whoami.On(once)()
		if err == nil || !strings.Contains(err.Error(), `skipped: "0: `) {
			t.Errorf("%+v", err)
		}
	})
}

// busy looks that the error is about resources that are not free.
func busy(t *testing.T, err error) {
	t.Helper()
	var e *box.TransportError
	if !errors.As(err, &e) || !strings.HasPrefix(e.Reason, transport.ReasonBusy+"; ") || !strings.Contains(err.Error(), "no answer within 3s") {
		t.Errorf("%+v", err)
	}
}

// order gives Slurm an order.
func order(t *testing.T, name string, args ...string) (said string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput() //nolint:noctx // at a test's end, too
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}
