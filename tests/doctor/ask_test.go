package doctor

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// locked is a rule that asks for a password each time.
const locked = "Defaults timestamp_timeout=0\nUSER ALL=(root:ALL) ALL\n"

// A keeper of passwords gives one, and counts.
type keeper struct {
	password string

	mu   sync.Mutex
	hops []string
}

func (k *keeper) ask(_ context.Context, p password.Prompt) (box.Secret[string], error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hops = append(k.hops, p.Hop)
	return box.NewSecret(k.password), nil
}

func needsPasswords(t *testing.T) {
	t.Helper()
	st.NeedSudo(t)
	st.NeedSSH(t)
	st.NeedRoot(t)
	st.NeedPassword(t)
}

// only fails the test if there is a finding that is no note.
func only(t *testing.T, found []doctor.Finding) {
	t.Helper()
	for _, f := range found {
		if f.Severity != doctor.Note {
			t.Errorf("%+v", f)
		}
	}
}

// TestAsking passes hops that want passwords. Each is asked for once, though each stop is a way of its own.
func TestAsking(t *testing.T) {
	needsPasswords(t)
	ssh := sshHop()
	ssh.Options = []string{"PubkeyAuthentication=no", "PreferredAuthentications=password"}
	for name, via := range map[string]transport.Chain{
		"sudo":          {transport.Sudo{}},
		"ssh":           {ssh},
		"ssh then sudo": {ssh, transport.Sudo{}},
		"sudo then env": {transport.Sudo{}, transport.Command{Prefix: []string{"env"}}},
	} {
		t.Run(name, func(t *testing.T) {
			st.Root.SetSudoers(t, filled(locked))
			k := &keeper{password: st.Password}
			found, err := examine(t, transport.Spec{Via: via, Binary: st.Binary}, doctor.Options{Ask: k.ask})
			if err != nil {
				t.Errorf("%+v", err)
			}
			only(t, found)
			want := ""
			for _, hop := range via {
				if transport.CanAsk(hop) {
					want += hop.String() + "\n"
				}
				if _, is := hop.(transport.Sudo); is {
					names(t, found, doctor.Finding{Hop: "sudo", Check: "auth", Severity: doctor.Note, What: "sudo asks for a password", Fix: "NOPASSWD: "})
				}
			}
			if got := strings.Join(k.hops, "\n") + "\n"; got != want {
				t.Errorf("asked %q, want %q", got, want)
			}
		})
	}
}

// TestAWrongAnswer is an error, and is not given again.
func TestAWrongAnswer(t *testing.T) {
	needsPasswords(t)
	st.Root.SetSudoers(t, filled(locked))
	k := &keeper{password: "wrong"}
	found, err := examine(t, sudoSpec(), doctor.Options{Ask: k.ask})
	if err == nil || len(k.hops) != 1 {
		t.Errorf("reached: %v, asked %q", err, k.hops)
	}
	names(t, found, doctor.Finding{Hop: "sudo", Check: "auth", Severity: doctor.Error, What: "the password is wrong"})
}

// TestBringing examines ways to places that do not have the program.
func TestBringing(t *testing.T) {
	needsPasswords(t)
	for name, via := range map[string]transport.Chain{
		"self": {}, "sudo": {transport.Sudo{}}, "ssh": {sshHop()}, "ssh then sudo": {sshHop(), transport.Sudo{}},
	} {
		t.Run(name, func(t *testing.T) {
			var spec transport.Spec
			if len(via) > 0 {
				spec.Via = via
			}
			found, err := examine(t, spec, doctor.Options{Deploy: deploy.Options{On: true, KeepNothing: true}})
			if err != nil {
				t.Errorf("%+v", err)
			}
			only(t, found)
		})
	}
}

// TestBringingAndAsking: both at once, where sudo wants a password to run the shell that takes the program in.
func TestBringingAndAsking(t *testing.T) {
	needsPasswords(t)
	cache := filepath.Join(place(t, ""), "cache")
	st.Root.SetSudoers(t, filled(locked))
	k := &keeper{password: st.Password}
	found, err := examine(t, transport.Spec{Via: transport.Sudo{}}, doctor.Options{Ask: k.ask, Deploy: deploy.Options{On: true, Cache: cache}})
	if err != nil || len(k.hops) != 1 {
		t.Errorf("%+v, asked %q", err, k.hops)
	}
	only(t, found)
	names(t, found, doctor.Finding{Hop: "sudo", Check: "auth", Severity: doctor.Note, What: "sudo asks for a password", Fix: "who may run a shell may run anything"})
	st.Root.SetSudoers(t, filled(allowed))
	asRoot(t, `test "$(ls "$1" | wc -l)" = 1`, cache) // the program is there
}

// TestBringingFails where there is no place for the program, and where sudo does not allow what brings it.
func TestBringingFails(t *testing.T) {
	needsPasswords(t)
	found, err := examine(t, transport.Spec{Via: sshHop()}, doctor.Options{Deploy: deploy.Options{On: true, Cache: "/proc/none"}})
	if err == nil {
		t.Error("reached")
	}
	names(t, found, problem("program", `the program could not be brought there: there is no place for this program on the far side`))
	names(t, found, problem("program", `"/proc/none"`))

	st.Root.SetSudoers(t, filled("USER ALL=(root) NOPASSWD: PROGRAM __deliver deliveryboy.doctor.look\n"))
	found, err = examine(t, transport.Spec{Via: transport.Sudo{}}, doctor.Options{Deploy: deploy.Options{On: true}})
	if err == nil {
		t.Error("reached")
	}
	names(t, found, doctor.Finding{Hop: "sudo", Check: "auth", Severity: doctor.Error, What: "/bin/sh", Fix: "leave --deploy out"})

	_, err = examine(t, sudoSpec(), doctor.Options{Deploy: deploy.Options{On: true}})
	if err == nil || !strings.Contains(err.Error(), "leave binary= out of the spec") {
		t.Errorf("a program, and one to bring: %v", err)
	}
}
