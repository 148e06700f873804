package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// wanted are the commands that the stage uses, or patterns of files, and the Debian packages that hold them.
var wanted = []struct{ command, pkg string }{
	{"sudo", "sudo"}, {"visudo", "sudo"}, {"sshd", "openssh-server"}, {"ssh", "openssh-client"},
	{"ssh-keygen", "openssh-client"}, {"setpriv", "util-linux"}, {"unshare", "util-linux"}, {"nsenter", "util-linux"},
	{"su", "util-linux"}, {"runuser", "util-linux"}, {"doas", "opendoas"}, {"chpasswd", "passwd"}, {"ip", "iproute2"}, {"busybox", "busybox-static"}, {"openssl", "openssl"},
	{"tcsh", "tcsh"}, {"podman", "podman"}, {"runc", "runc"}, {"lxc-attach", "lxc"}, {"pkexec", "pkexec"}, {"munged", "munge"}, {"slurmctld", "slurmctld"}, {"slurmd", "slurmd"}, {"srun", "slurm-client"}, {"dbus-daemon", "dbus"}, {"qemu-aarch64-static", "qemu-user-static"},
	{"nc", "netcat-openbsd"}, {"keyctl", "keyutils"}, {"pass", "pass"}, {"gpg", "gpg"}, {"gpg-agent", "gpg-agent"}, {"secret-tool", "libsecret-tools"},
	{"gnome-keyring-daemon", "gnome-keyring"}, {"dbus-daemon", "dbus-daemon"}, {"oathtool", "oathtool"}, {"/lib/*/security/pam_oath.so", "libpam-oath"},
	{"localedef", "libc-bin"}, {"/usr/share/i18n/locales/de_DE", "locales"}, {"/usr/share/locale/de/LC_MESSAGES/sudoers.mo", "sudo"},
}

// Install installs what the stage needs and this machine lacks, with apt-get on a Debian system, as root. Elsewhere it
// changes nothing. It says in log what it did; the error says what is still missing.
//
// A program may call it before [Enter]: in the copies that Enter starts it does nothing.
//
// No service is started: while apt-get runs, a policy-rc.d that forbids it is in place, if the machine has none.
func Install(ctx context.Context, log io.Writer) error {
	if os.Getenv(roleVar) != "" {
		return nil // the process that entered the stage has done it
	}
	missing, packages := lacking()
	if len(missing) == 0 {
		fmt.Fprintln(log, "stage: everything is there, nothing to install")
		return nil
	}
	what := strings.Join(missing, ", ")
	switch _, err := exec.LookPath("apt-get"); {
	case runtime.GOOS != "linux":
		return fmt.Errorf("stage: the stage needs Linux, this is %s; tests that need it are skipped", runtime.GOOS)
	case os.Geteuid() != 0:
		return fmt.Errorf("stage: %s missing, and installing needs root; as root, run: apt-get install %s", what, strings.Join(packages, " "))
	case err != nil:
		return fmt.Errorf("stage: %s missing, and there is no apt-get; install them with the system's own tool", what)
	}
	fmt.Fprintf(log, "stage: %s missing; installing %s\n", what, strings.Join(packages, " "))
	return installPackages(ctx, log, packages)
}

// lacking looks where root's commands are, too: an ordinary PATH may not have them.
func lacking() (commands, packages []string) {
	for _, w := range wanted {
		var found bool
		if filepath.IsAbs(w.command) {
			files, err := filepath.Glob(w.command)
			found = err == nil && len(files) > 0
		} else {
			found = slices.ContainsFunc(append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin"), func(dir string) bool {
				info, err := os.Stat(filepath.Join(dir, w.command))
				return err == nil && !info.IsDir()
			})
		}
		if found {
			continue
		}
		commands = append(commands, w.command)
		if !slices.Contains(packages, w.pkg) {
			packages = append(packages, w.pkg)
		}
	}
	return commands, packages
}

func installPackages(ctx context.Context, log io.Writer, packages []string) (err error) {
	allow, err := forbidServices(servicePolicy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, allow()) }()
	before := daemons()
	if lists, err := filepath.Glob("/var/lib/apt/lists/*_Packages*"); err == nil && len(lists) == 0 {
		fmt.Fprintln(log, "stage: no package lists; apt-get update")
		if err := aptGet(ctx, log, "update"); err != nil {
			return err
		}
	}
	args := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	if err := aptGet(ctx, log, args...); err != nil {
		// Old lists name packages that are gone from the server; with fresh ones there is a second chance.
		fmt.Fprintln(log, "stage: trying again with fresh package lists")
		if err := errors.Join(aptGet(ctx, log, "update"), aptGet(ctx, log, args...)); err != nil {
			return err
		}
	}
	for _, pid := range daemons() {
		if !slices.Contains(before, pid) {
			return fmt.Errorf("stage: the installation started sshd as process %d; stop it if it is not wanted", pid)
		}
	}
	if missing, _ := lacking(); len(missing) > 0 {
		return fmt.Errorf("stage: still missing after the installation: %s", strings.Join(missing, ", "))
	}
	fmt.Fprintln(log, "stage: installed; no service was started")
	return nil
}

func aptGet(ctx context.Context, log io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "DPkg::Lock::Timeout=120", "-o", "APT::Get::ReInstall=true",
		"-o", "DPkg::Options::=--path-include=/usr/share/locale/de/*"}, args...)...) // some systems leave translations out
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("stage: apt-get %s: %w", args[0], err)
	}
	return nil
}

// servicePolicy is where Debian's tools look for it.
const servicePolicy = "/usr/sbin/policy-rc.d"

// forbidServices puts Debian's switch against starting services in place, and returns how to take it away again.
func forbidServices(path string) (allow func() error, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if errors.Is(err, os.ErrExist) {
		return func() error { return nil }, nil // the machine has a policy of its own
	}
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	_, err = f.WriteString("#!/bin/sh\nexit 101\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	return func() error { return os.Remove(path) }, nil
}

// daemons lists the processes called sshd.
func daemons() []int {
	var pids []int
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil
	}
	for _, path := range names {
		name, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(name)) != "sshd" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
