//go:build linux

// Package lxc tests delivery into a container of the real LXC through lxc-attach, as root. The container has a root
// directory of the tests' own, with a shell and this program, no network, and no place in LXC's list of containers.
//
// LXC_FULL=1 runs the suite of couriers, too.
package lxc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/rootfs"
	"github.com/seed354a1416/deliveryboy/tests/ways"
)

const (
	roleVar = "LXC_TEST_ROLE"
	program = "/app" // this one, in the container
)

// container is its name; missing says why there is none.
var container, missing string

func TestMain(m *testing.M) {
	delivery.Main()
	if os.Getenv(roleVar) == "init" {
		idle()
	}
	os.Exit(withContainer(m))
}

// idle is the container's first process.
func idle() {
	if err := loopback(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	rootfs.Idle(syscall.SIGTERM, syscall.SIGPWR)
}

// loopback brings up the one interface that there is.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

func withContainer(m *testing.M) int {
	dir, err := os.MkdirTemp("", "deliveryboy-lxc-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	const groups, locks = "/sys/fs/cgroup/*/lxc.pivot", "/run/lxc" // which LXC makes, and leaves
	before, _ := filepath.Glob(groups)
	_, noLocks := os.Stat(locks)
	name := fmt.Sprintf("deliveryboy-test-%d", os.Getpid())
	defer func() {
		if container != "" {
			if err := run("lxc-stop", "--kill", "--name="+name); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
		if after, _ := filepath.Glob(groups); len(before) == 0 {
			rootfs.RemoveGroups(after)
		}
		if noLocks != nil {
			_ = os.RemoveAll(locks)
		}
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	if err := start(dir, name); err != nil {
		missing = err.Error()
		fmt.Fprintln(os.Stderr, "NOT TESTED, no LXC:", missing)
	} else {
		container = name
	}
	return m.Run()
}

// settings are those of the container. Nothing of it needs what this machine may not have, such as AppArmor or a bridge.
const settings = `lxc.rootfs.path = dir:%[1]s/root
lxc.uts.name = lxctest
lxc.net.0.type = empty
lxc.apparmor.profile = unconfined
lxc.autodev = 1
lxc.mount.auto = proc
lxc.environment = ` + roleVar + `=init
lxc.init.cmd = ` + program + `
`

// start makes the root directory, and starts a container that idles.
func start(dir, name string) error {
	if os.Geteuid() != 0 {
		return errors.New("without root, LXC needs what a machine has to be set up for")
	}
	for _, tool := range []string{"lxc-start", "lxc-attach", "lxc-stop"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w; run: go run ./tests/stage/install", err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	root, config := filepath.Join(dir, "root"), filepath.Join(dir, "config")
	err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(root, 0o755), os.WriteFile(config, fmt.Appendf(nil, settings, dir), 0o600)) //nolint:gosec // others run what is in it
	if err == nil {
		err = errors.Join(rootfs.Make(root, map[string]string{program: exe}), rootfs.AddShell(root), os.Mkdir(filepath.Join(root, "sys"), 0o755))
	}
	if err != nil {
		return err
	}
	return run("lxc-start", "--name="+name, "--rcfile="+config, "--daemon")
}

func run(argv ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, bytes.TrimSpace(out))
	}
	return nil
}

func need(t *testing.T) { t.Helper(); ways.Need(t, "LXC", missing) }
