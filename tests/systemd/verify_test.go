//go:build linux

package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerify: systemd finds nothing to say about any unit that is printed. What it says of others is the machine's.
func TestVerify(t *testing.T) {
	if why := missing("systemd-analyze"); why != "" {
		t.Skip("NOT TESTED: ", why)
	}
	for name, units := range map[string]map[string][]string{
		"kernel": {
			"deliveryboy-kernel.service": {"kernel", "unit", "service"},
			"deliveryboy-kernel.socket":  {"kernel", "unit", "socket"},
		},
		"kernel elsewhere": {
			"deliveryboy-kernel.service": {"kernel", "unit", "service", "--socket", "/run/an app/100%/$k'.sock", "--state", `/srv/a "state" \ here`},
			"deliveryboy-kernel.socket":  {"kernel", "unit", "socket", "--socket", "/run/an app/100%/$k'.sock"},
		},
		"pool": {"deliveryboy-pool.service": {"pool", "unit"}},
		"pool with all": {"deliveryboy-pool.service": {"pool", "unit", "--user", "daemon", "--rules", "/etc/my rules", "--max-accepts", "7",
			"--task-timeout", "1m30s", "--backlog", "5", "--queue", "-1", "--only", "a.b,c.d", "--drain", "1m", "--socket", "/run/app/p.sock"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"verify", "--man=no"}
			for file, words := range units {
				path := filepath.Join(dir, file)
				if err := os.WriteFile(path, []byte(command(t, program, words...)), 0o644); err != nil { //nolint:gosec // a unit
					t.Fatal(err)
				}
				args = append(args, path)
			}
			out, err := exec.Command("systemd-analyze", args...).CombinedOutput() //nolint:noctx // it ends by itself
			switch {
			case strings.Contains(string(out), "deliveryboy"):
				t.Errorf("%v: %s", err, out)
			case err != nil:
				t.Skipf("NOT TESTED: systemd-analyze is no help here: %v: %s", err, out)
			}
		})
	}
}
