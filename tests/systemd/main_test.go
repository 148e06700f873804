//go:build linux

// Package systemd tests the units that the deliveryboy command prints: systemd-analyze finds nothing wrong in them, and
// SYSTEMD_FULL=1 runs them under a real systemd, the first process of a container with a root of its own. That container is
// made with debootstrap, which needs Debian's packages and half a minute; SYSTEMD_IMAGE names an image that is there already,
// with systemd and bash in it. Nothing of systemd runs on this machine itself.
package systemd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/tests/ways"
)

// program is the deliveryboy command, which needs no libraries.
var program string

func TestMain(m *testing.M) { os.Exit(withProgram(m)) }

func withProgram(m *testing.M) int {
	dir, err := os.MkdirTemp("", "deliveryboy-systemd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "deliveryboy")
	build := exec.Command("go", "build", "-o", program, "../../cmd/deliveryboy") //nolint:noctx // the test's own limit ends it
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s", err, out)
		return 1
	}
	return m.Run()
}

// A container is one with systemd.
type container struct{ name string }

// boot starts systemd. It has the capability that mounting needs, and /proc/sys is read-only.
func boot(t *testing.T) *container {
	t.Helper()
	if os.Getenv("SYSTEMD_FULL") != "1" {
		t.Skip("a container with systemd takes a minute to make; SYSTEMD_FULL=1 runs it")
	}
	ways.Need(t, "docker", missing("docker"))
	if err := exec.CommandContext(t.Context(), "docker", "info").Run(); err != nil {
		ways.Need(t, "docker", "docker info: "+err.Error())
	}
	from := image(t) // removed after the container
	c := &container{fmt.Sprintf("deliveryboy-systemd-%d", os.Getpid())}
	t.Cleanup(func() { command(t, "docker", "rm", "-f", "-v", c.name) })
	command(t, "docker", "run", "-d", "--name", c.name, "--network", "none", "--cap-add", "SYS_ADMIN",
		"--security-opt", "apparmor=unconfined", "--cgroupns=private", "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp",
		"-e", "container=docker", from, "/bin/bash", "-c",
		"for m in /sys/fs/cgroup /sys/fs/cgroup/systemd; do mount -o remount,bind,rw $m; done; exec /lib/systemd/systemd --log-target=journal")
	c.until(t, "systemctl is-system-running", "running", "degraded")
	t.Log(c.sh(t, "systemctl --version | head -n 1"))
	command(t, "docker", "cp", program, c.name+":/usr/local/bin/deliveryboy")
	return c
}

// image makes a Debian with systemd, and is its name.
func image(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("SYSTEMD_IMAGE"); name != "" {
		return name
	}
	ways.Need(t, "debootstrap", missing("debootstrap"))
	if os.Geteuid() != 0 {
		ways.Need(t, "root", "debootstrap has to run as root")
	}
	root, name := filepath.Join(t.TempDir(), "root"), fmt.Sprintf("deliveryboy-systemd:%d", os.Getpid())
	command(t, "debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", "stable", root)
	command(t, "/bin/bash", "-o", "pipefail", "-c", `tar -C "$0" --exclude='./var/cache/apt/archives/*' -c . | docker import - "$1"`, root, name)
	t.Cleanup(func() { command(t, "docker", "rmi", name) })
	return name
}

// missing says that a program is not there.
func missing(name string) string {
	if _, err := exec.LookPath(name); err != nil {
		return err.Error()
	}
	return ""
}

// sh runs lines of a shell, each of which has to succeed, and is what they print to stdout.
func (c *container) sh(t *testing.T, lines string) string {
	t.Helper()
	out, err := c.try(lines)
	if err != nil {
		t.Fatalf("%s\n%v\n%s", lines, err, c.journal())
	}
	return out
}

func (c *container) try(lines string) (string, error) {
	cmd := exec.Command("docker", "exec", "-w", "/", c.name, "timeout", "60", "/bin/bash", "-euc", lines) //nolint:noctx // timeout ends it
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s%s", err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), err
}

// until waits for lines to print one of these words; it makes no difference whether they fail.
func (c *container) until(t *testing.T, lines string, want ...string) {
	t.Helper()
	last := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		last, _ = c.try("{ " + lines + "; } || true")
		for _, w := range want {
			if last == w {
				return
			}
		}
	}
	t.Fatalf("%s: %q, never %q\n%s", lines, last, want, c.journal())
}

// is looks what lines print.
func (c *container) is(t *testing.T, lines, want string) {
	t.Helper()
	if got := c.sh(t, lines); got != want {
		t.Errorf("%s: %q, want %q\n%s", lines, got, want, c.journal())
	}
}

// journal is the end of the journal.
func (c *container) journal() string {
	out, err := c.try("journalctl --no-pager -n 40")
	return fmt.Sprintf("journal (%v):\n%s", err, out)
}

// command runs something on this machine.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput() //nolint:noctx // at a test's end, too
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return string(out)
}
