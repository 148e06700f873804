// Package doctor tests that the doctor names what is wrong, and nothing else: with real sudo, a real sshd, limits and
// mounts in a private place on this machine, see tests/stage.
package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	st = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

// examine examines a spec; the error is why the end was not reached.
func examine(t *testing.T, spec transport.Spec, options ...doctor.Options) ([]doctor.Finding, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := doctor.Examine(ctx, spec, options...)
	if ctx.Err() != nil {
		t.Fatalf("it hangs: %v", err)
	}
	return found, err
}

// asRoot runs a script as root, before the rules of sudo are spoilt.
func asRoot(t *testing.T, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute) // also at the end of a test
	defer cancel()
	argv := append([]string{"-n", "--", "/bin/sh", "-ec", script, "sh"}, args...)
	if out, err := exec.CommandContext(ctx, "/usr/bin/sudo", argv...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// place is a new directory of root's alone, with a copy of the program if a name for it is given.
func place(t *testing.T, program string) string {
	t.Helper()
	dir := filepath.Join(st.Dir, strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
	asRoot(t, `mkdir -m 755 "$1"; [ -z "$3" ] || install -m 755 "$2" "$1/$3"`, dir, st.Binary, program)
	t.Cleanup(func() { asRoot(t, `rm -r "$1"`, dir) })
	return dir
}

func sshHop() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig, NoShare: true}
}

func sudoSpec() transport.Spec { return transport.Spec{Via: transport.Sudo{}, Binary: st.Binary} }

// names fails the test if no finding is about what is wrong, or if one of them has no hop or advice.
func names(t *testing.T, found []doctor.Finding, want doctor.Finding) {
	t.Helper()
	named := false
	for _, f := range found {
		if f.Hop == "" || f.Check == "" || f.What == "" || !strings.HasSuffix(f.Fix, ".") && !strings.Contains(f.Fix, "NOPASSWD") {
			t.Errorf("incomplete: %+v", f)
		}
		named = named || f.Check == want.Check && f.Severity == want.Severity && strings.Contains(f.What, want.What) &&
			(want.Hop == "" || f.Hop == want.Hop) && strings.Contains(f.Fix, want.Fix)
	}
	if !named {
		t.Errorf("want %+v among:", want)
		for _, f := range found {
			t.Errorf("%+v", f)
		}
	}
}

// TestClean finds nothing wrong with what is right: but for notes about this machine's kernel.
func TestClean(t *testing.T) {
	st.NeedSudo(t)
	st.NeedSSH(t)
	for name, via := range map[string]transport.Transport{
		"self": transport.Self{}, "sudo": transport.Sudo{}, "sudo to another": transport.Sudo{User: st.Second},
		"ssh": sshHop(), "ssh then sudo": transport.Chain{sshHop(), transport.Sudo{}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := examine(t, transport.Spec{Via: via, Binary: st.Binary})
			if err != nil {
				t.Errorf("%+v", err)
			}
			for _, f := range found {
				if f.Severity != doctor.Note || f.Check != "kernel" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}
