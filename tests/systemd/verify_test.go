//go:build linux

package systemd

import (
	"os"
	"path/filepath"
	"testing"
)

// TestVerify: systemd finds nothing to say about any unit that is printed.
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
			if said := command(t, "systemd-analyze", args...); said != "" {
				t.Error(said)
			}
		})
	}
}
