package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestSSH spoils what the client uses.
func TestSSH(t *testing.T) {
	st.NeedSSH(t)
	file := func(t *testing.T, name, text string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := os.ReadFile(st.Identity)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, hop *transport.SSH)
		want  []doctor.Finding
	}{
		{"unknown host key", func(t *testing.T, hop *transport.SSH) { hop.KnownHosts = file(t, "known", "", 0o600) },
			[]doctor.Finding{problem("host key", "is in none of ")}},
		{"missing key", func(t *testing.T, hop *transport.SSH) {
			hop.Identity, hop.ConfigFile, hop.KnownHosts = filepath.Join(t.TempDir(), "none"), "none", st.KnownHosts
		}, []doctor.Finding{doubt("key", "none is not there"), doubt("key", "neither a key nor an agent"), problem("key", "authentication failed")}},
		{"key that others can read", func(t *testing.T, hop *transport.SSH) {
			hop.Identity, hop.ConfigFile, hop.KnownHosts = file(t, "key", string(key), 0o644), "none", st.KnownHosts
		}, []doctor.Finding{problem("key", "can be read by others (mode 0644)")}},
		{"wrong port", func(_ *testing.T, hop *transport.SSH) { hop.Port = 1 },
			[]doctor.Finding{problem("host key", "[127.0.0.1]:1 is in none of "), problem("reachable", "connection refused")}},
		{"unknown name", func(_ *testing.T, hop *transport.SSH) { hop.Host = "nowhere.invalid" },
			[]doctor.Finding{problem("reachable", "host name cannot be resolved")}},
		{"bad configuration", func(t *testing.T, hop *transport.SSH) { hop.ConfigFile = file(t, "config", "Frobnicate yes\n", 0o600) },
			[]doctor.Finding{problem("configuration", "ssh does not accept its configuration")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			hop := sshHop()
			c.spoil(t, &hop)
			found, err := examine(t, transport.Spec{Via: hop, Binary: st.Binary})
			if err == nil {
				t.Error("reached")
			}
			for _, want := range c.want {
				names(t, found, want)
			}
		})
	}
}

func TestHostKeyNotChecked(t *testing.T) {
	st.NeedSSH(t)
	text := "Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile " + st.KnownHosts + "\n  IdentityFile " + st.Identity + "\n"
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	hop := sshHop()
	hop.ConfigFile = config
	found, err := examine(t, transport.Spec{Via: hop, Binary: st.Binary})
	if err != nil {
		t.Errorf("%+v", err)
	}
	names(t, found, doubt("host key", "is told not to check"))
}

func TestDeadAgent(t *testing.T) {
	st.NeedSSH(t)
	t.Setenv("SSH_AUTH_SOCK", filepath.Join(t.TempDir(), "agent"))
	found, err := examine(t, transport.Spec{Via: sshHop(), Binary: st.Binary})
	if err != nil {
		t.Errorf("%+v", err)
	}
	names(t, found, doubt("key", "the agent does not answer"))
}

func TestChangedHostKey(t *testing.T) {
	st.NeedSSH(t)
	st.NeedRoot(t)
	st.Root.RestartSSHD(t)
	found, err := examine(t, transport.Spec{Via: sshHop(), Binary: st.Binary})
	if err == nil {
		t.Error("reached")
	}
	names(t, found, problem("host key", "has changed"))
}

// TestStopWithoutProgram passes a host that does not have the program, and says so.
func TestStopWithoutProgram(t *testing.T) {
	st.NeedSSH(t)
	st.NeedSudo(t)
	dir := place(t, "")
	spec := transport.Spec{Via: transport.Chain{sshHop(), transport.Sudo{}}, Binary: dir + "/none"}
	found, err := examine(t, spec)
	if err == nil {
		t.Error("reached")
	}
	names(t, found, doctor.Finding{Check: "program", Severity: doctor.Note, What: "there is no worker at this stop"})
	names(t, found, doctor.Finding{Hop: "sudo", Check: "program", Severity: doctor.Error, What: "program not found"})
}

// TestForcedCommand has a command in authorized_keys that runs instead of what the client asks for, and one that only
// prints before it.
func TestForcedCommand(t *testing.T) {
	st.NeedSSH(t)
	keys := filepath.Join(st.Home, ".ssh", "authorized_keys")
	before, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(keys, before, 0o600); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		command string
		reached bool
		want    doctor.Finding
	}{
		{`echo nothing to see here`, false, doctor.Finding{Check: "worker", Severity: doctor.Error, Fix: "ForceCommand"}},
		{`echo hello; exec sh -c \"$SSH_ORIGINAL_COMMAND\"`, true, remark("output", "hello")},
	} {
		if err := os.WriteFile(keys, append([]byte(`command="`+c.command+`" `), before...), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := examine(t, transport.Spec{Via: sshHop(), Binary: st.Binary})
		if (err == nil) != c.reached {
			t.Errorf("reached: %v", err)
		}
		names(t, found, c.want)
	}
}

// TestBehindAStop looks at sudo from a worker that is itself behind a hop.
func TestBehindAStop(t *testing.T) {
	st.NeedSSH(t)
	st.NeedSudo(t)
	st.NeedRoot(t)
	st.Root.SetSudoers(t, filled("Defaults log_output\n"+allowed))
	found, err := examine(t, transport.Spec{Via: transport.Chain{sshHop(), transport.Sudo{}}, Binary: st.Binary})
	if err != nil {
		t.Errorf("%+v", err)
	}
	want := doubt("sudoers", "log_output")
	want.Hop = "sudo"
	names(t, found, want)
}
