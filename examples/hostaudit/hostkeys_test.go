package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// keygen makes a host key with the real ssh-keygen.
func keygen(t *testing.T, dir, kind string, args ...string) string {
	t.Helper()
	tool, err := exec.LookPath("ssh-keygen")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI needs ssh-keygen: ", err)
		}
		t.Skip("needs ssh-keygen: ", err)
	}
	file := filepath.Join(dir, "ssh_host_"+kind+"_key")
	out, err := exec.CommandContext(t.Context(), tool, append([]string{"-q", "-N", "", "-t", kind, "-f", file}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	return file
}

func TestAuditHostKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := map[string]string{} // fingerprint by file, as ssh-keygen has it
	bits := map[string]int{}
	for kind, args := range map[string][]string{"ed25519": nil, "ecdsa": {"-b", "384"}, "rsa": {"-b", "2048"}} {
		file := keygen(t, dir, kind, args...)
		out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-l", "-f", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		want[file] = strings.Fields(string(out))[1]
		bits[file] = map[string]int{"ed25519": 256, "ecdsa": 384, "rsa": 2048}[kind]
	}
	report, err := auditHostKeys(t.Context(), HostKeyQuery{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Keys) != len(want) {
		t.Errorf("%d keys, want %d", len(report.Keys), len(want))
	}
	for _, k := range report.Keys {
		if k.Fingerprint != want[k.File] || k.Bits != bits[k.File] || k.Mode != "-rw-------" {
			t.Errorf("got %+v, want %s and %d bits", k, want[k.File], bits[k.File])
		}
	}
	checkFindings(t, report.Findings, dir, []string{"note DIR/ssh_host_rsa_key: RSA key of 2048 bits"})
}

func TestBadHostKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(file string) error
		found []string
	}{
		{"open to all", func(f string) error { return os.Chmod(f, 0o644) }, []string{"high DIR/ssh_host_ed25519_key: mode -rw-r--r--"}},
		{"other half", func(f string) error {
			return os.WriteFile(f+".pub", []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA x"), 0o644)
		}, []string{"high DIR/ssh_host_ed25519_key: is not the private half"}},
		{"no public half", func(f string) error { return os.Remove(f + ".pub") }, []string{"note DIR/ssh_host_ed25519_key.pub: no such file"}},
		{"binary public half", func(f string) error { return os.WriteFile(f+".pub", []byte("\x00\xff \x1b[2J"), 0o644) },
			[]string{"note DIR/ssh_host_ed25519_key.pub: is not a public key"}},
		{"endless length", func(f string) error { return os.WriteFile(f+".pub", []byte("ssh-rsa /////w=="), 0o644) },
			[]string{"high DIR/ssh_host_ed25519_key: is not the private half", "warn DIR/ssh_host_ed25519_key: public half is not a key"}},
		{"not a key", func(f string) error { return os.WriteFile(f, []byte("hello"), 0o600) }, []string{"warn DIR/ssh_host_ed25519_key: private key: not a private key"}},
		{"cut off", func(f string) error { return os.Truncate(f, 60) }, []string{"warn DIR/ssh_host_ed25519_key: private key:"}},
		{"circle", func(f string) error { os.Remove(f); return os.Symlink(f, f) }, []string{"warn DIR/ssh_host_ed25519_key: cannot be looked at: too many levels"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := tt.spoil(keygen(t, dir, "ed25519")); err != nil {
				t.Fatal(err)
			}
			report, err := auditHostKeys(t.Context(), HostKeyQuery{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			checkFindings(t, report.Findings, dir, tt.found)
		})
	}
}
