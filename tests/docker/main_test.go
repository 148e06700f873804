// Package docker tests delivery into containers: one that holds nothing but this program, no shell, no libc unless the race
// detector needs it, no user database; one with a shell and su; and one with nothing but /bin/sh, whose program comes
// from outside. The images are made here; none is pulled.
//
// DOCKER_FULL=1 runs the suite of couriers also where it takes long.
package docker

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/tests/rootfs"
	"github.com/seed354a1416/deliveryboy/tests/ways"
	"github.com/seed354a1416/deliveryboy/transport"
)

const (
	roleVar = "DOCKER_TEST_ROLE"
	argVar  = "DOCKER_TEST_ARG"
	program = "/app" // this one, in the image
)

// container is the name of the one that holds nothing else, and shelled of the one with a shell; images are named as they
// are, and onlyShell is one more. They are empty if there are none, and missing says why.
var container, shelled, onlyShell, missing string

func TestMain(m *testing.M) {
	pool.Register() // and with it process.Register
	delivery.Main()
	switch role := os.Getenv(roleVar); role {
	case "":
	case "init":
		rootfs.Idle(syscall.SIGTERM)
	default:
		os.Exit(playRole(role, os.Getenv(argVar)))
	}
	os.Exit(inContainer(m))
}

// inContainer runs the tests beside the containers, which are gone afterwards.
func inContainer(m *testing.M) int {
	bare := fmt.Sprintf("deliveryboy-test-%d", os.Getpid())
	full, shell := bare+"-full", bare+"-shell"
	defer func() {
		_ = docker(nil, "rm", "-f", bare, full)
		_ = docker(nil, "rmi", "-f", bare, full, shell)
	}()
	if err := start(bare, full, shell); err != nil {
		missing = err.Error()
		fmt.Fprintln(os.Stderr, "NOT TESTED, no containers:", missing)
	} else {
		container, shelled, onlyShell = bare, full, shell
	}
	return m.Run()
}

// start makes the three images, and containers of the first two, which idle.
func start(bare, full, shell string) error {
	if err := docker(nil, "version"); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := build(bare, map[string]string{program: exe}, false); err != nil {
		return err
	}
	if err := build(full, map[string]string{program: exe}, true); err != nil {
		return err
	}
	if err := build(shell, map[string]string{"/bin/sh": rootfs.Busybox}, false); err != nil {
		return err
	}
	for _, name := range []string{bare, full} {
		if err := docker(nil, "run", "--detach", "--network", "none", "--name", name, "--env", roleVar+"=init", name, program); err != nil {
			return err
		}
	}
	return nil
}

// build makes an image of files.
func build(name string, files map[string]string, shell bool) error {
	return rootfs.Import("docker", name, files, shell)
}

func docker(stdin io.Reader, args ...string) error { return rootfs.Engine("docker", stdin, args...) }

// into is the way into the container; the test is skipped without one, and fails in CI.
func into(t *testing.T) transport.Transport {
	t.Helper()
	ways.Need(t, "containers", missing)
	return through(container)
}

func through(container string) transport.Transport { return transport.Docker{Container: container} }
