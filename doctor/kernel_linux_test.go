package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree makes files below a directory: what the kernel and systemd say cannot be changed for a test.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestKernel(t *testing.T) {
	t.Parallel()
	const hidden = "proc /proc proc rw,hidepid=invisible 0 0\n"
	good := map[string]string{
		"proc/sys/dev/tty/legacy_tiocsti": "0\n", "proc/sys/kernel/yama/ptrace_scope": "1\n", "proc/self/mounts": hidden,
	}
	for _, c := range []struct{ name, file, text, want string }{
		{name: "good"},
		{"tiocsti", "proc/sys/dev/tty/legacy_tiocsti", "1\n", "legacy_tiocsti"},
		{"yama", "proc/sys/kernel/yama/ptrace_scope", "0\n", "Yama"},
		{"proc", "proc/self/mounts", "proc /proc proc rw,nosuid 0 0\n", "hidepid"},
		{"proc, mounted over", "proc/self/mounts", hidden + "proc /proc proc rw 0 0\n", "hidepid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for name, text := range good {
				files[name] = text
			}
			if c.file != "" {
				files[c.file] = c.text
			}
			expect(t, kernel(tree(t, files)), c.want)
		})
	}
}

func TestConfinement(t *testing.T) {
	t.Parallel()
	expect(t, confinement(tree(t, nil)), "")
	expect(t, confinement(tree(t, map[string]string{"proc/self/attr/current": "unconfined\n"})), "")
	expect(t, confinement(tree(t, map[string]string{"proc/self/attr/current": "docker-default (enforce)\n"})), "AppArmor confines the worker to the profile docker-default")
	expect(t, confinement(tree(t, map[string]string{"sys/fs/selinux/enforce": "1", "proc/self/attr/current": "user_t\x00"})), "SELinux is enforcing, and the worker runs as user_t")
}

func TestLoginEnd(t *testing.T) {
	t.Parallel()
	login := func(files map[string]string) []Finding { return loginEnd(tree(t, files), "web") }
	const main, more = "etc/systemd/logind.conf", "etc/systemd/logind.conf.d/a.conf"
	const booted = "run/systemd/system/x"
	kills := "[Login]\nKillUserProcesses=yes\n"
	expect(t, login(map[string]string{main: kills}), "")
	expect(t, login(map[string]string{booted: "", main: "#KillUserProcesses=yes\n"}), "")
	expect(t, login(map[string]string{booted: "", main: kills}), "KillUserProcesses")
	expect(t, login(map[string]string{booted: "", more: kills}), "KillUserProcesses")
	expect(t, login(map[string]string{booted: "", main: kills, more: "KillUserProcesses=no\n"}), "")
	expect(t, login(map[string]string{booted: "", "usr/lib/systemd/logind.conf.d/a.conf": kills}), "KillUserProcesses")
	expect(t, login(map[string]string{booted: "", main: kills + "KillExcludeUsers=root web\n"}), "")
	expect(t, login(map[string]string{booted: "", main: kills + "KillOnlyUsers=guest\n"}), "")
	expect(t, login(map[string]string{booted: "", main: kills + "KillOnlyUsers=guest web\n"}), "KillUserProcesses")
	expect(t, login(map[string]string{booted: "", main: kills, "var/lib/systemd/linger/" + "web": ""}), "")
}

func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Now()
	expect(t, clock(now, now.Add(4*time.Minute), now), "")
	expect(t, clock(now, now.Add(-4*time.Minute), now), "")
	expect(t, clock(now, now.Add(6*time.Minute), now.Add(10*time.Minute)), "")
	expect(t, clock(now, now.Add(-6*time.Minute), now), "by -6m0s")
	expect(t, clock(now, now.Add(time.Hour), now), "by 1h0m0s")
}

// expect wants one finding that says this, or none.
func expect(t *testing.T, found []Finding, want string) {
	t.Helper()
	switch {
	case want == "" && len(found) > 0:
		t.Errorf("found %+v", found)
	case want != "" && (len(found) != 1 || !strings.Contains(found[0].What, want)):
		t.Errorf("want %q, found %+v", want, found)
	}
}
