//go:build linux

// Package podman tests delivery into containers of the real podman, as root: one with a shell and this program. Its images,
// containers and settings are in a directory of the tests' own; no network is made, and none of its services runs.
//
// PODMAN_FULL=1 runs the suite of couriers also where each call is a podman exec.
package podman

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/rootfs"
	"github.com/seed354a1416/deliveryboy/tests/ways"
)

const (
	roleVar   = "PODMAN_TEST_ROLE"
	program   = "/app" // this one, in the image
	container = "c1"
	image     = "localhost/deliveryboy-test"
)

// missing says why there is no container; empty if there is one.
var missing string

// wrapper is a program that is podman with the settings of these tests, for hops that pass no environment.
var wrapper string

func TestMain(m *testing.M) {
	delivery.Main()
	if os.Getenv(roleVar) == "init" {
		rootfs.Idle(syscall.SIGTERM)
	}
	os.Exit(withContainer(m))
}

func withContainer(m *testing.M) int {
	dir, err := os.MkdirTemp("", "deliveryboy-podman-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	const (
		parents = "/sys/fs/cgroup/*/libpod_parent" // these podman makes, and leaves
		state   = "/var/lib/containers"
	)
	before, _ := filepath.Glob(parents)
	_, unused := os.Stat(state)
	defer func() {
		_ = podman(nil, "rm", "--force", "--time=0", container)
		if after, _ := filepath.Glob(parents); len(before) == 0 {
			rootfs.RemoveGroups(after)
		}
		if errors.Is(unused, fs.ErrNotExist) {
			_ = os.RemoveAll(state)
		}
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	if err := start(dir); err != nil {
		missing = err.Error()
		fmt.Fprintln(os.Stderr, "NOT TESTED, no podman:", missing)
	}
	return m.Run()
}

// The limits are those that a machine may not let root raise; vfs needs nothing of the kernel. Locks
// are in files, as those in memory would stay in /dev/shm.
const (
	storage  = "[storage]\ndriver = \"vfs\"\ngraphroot = \"%[1]s/store\"\nrunroot = \"%[1]s/run\"\n"
	settings = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "runc"
tmp_dir = "%[1]s/tmp"
`
	wrapping = "#!/bin/sh\nexport CONTAINERS_CONF=%[1]s/containers.conf CONTAINERS_STORAGE_CONF=%[1]s/storage.conf\nexec podman \"$@\"\n"
)

// start makes the image, and a container of it that idles.
func start(dir string) error {
	if os.Geteuid() != 0 {
		return errors.New("without root, podman needs what a machine has to be set up for")
	}
	for _, name := range []string{"podman", "runc"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w; run: go run ./tests/stage/install", err)
		}
	}
	wrapper = filepath.Join(dir, "podman-here")
	for name, text := range map[string]string{"storage.conf": storage, "containers.conf": settings, "podman-here": wrapping} {
		if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, text, dir), 0o755); err != nil { //nolint:gosec // one is a program
			return err
		}
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := errors.Join(os.Setenv("CONTAINERS_CONF", dir+"/containers.conf"), os.Setenv("CONTAINERS_STORAGE_CONF", dir+"/storage.conf")); err != nil {
		return err
	}
	if err := build(exe); err != nil {
		return err
	}
	return podman(nil, "run", "--detach", "--pull=never", "--name", container, "--env", roleVar+"=init", image, program)
}

// build makes an image with this program and a shell.
func build(exe string) error {
	return rootfs.Import("podman", image, map[string]string{program: exe}, true)
}

func podman(stdin io.Reader, args ...string) error { return rootfs.Engine("podman", stdin, args...) }

func need(t *testing.T) { t.Helper(); ways.Need(t, "podman", missing) }
