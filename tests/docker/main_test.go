// Package docker tests delivery into a container that holds nothing but this program: no shell, no libc unless the race
// detector needs it, no user database. The image is made here; none is pulled.
package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

const (
	roleVar = "DOCKER_TEST_ROLE"
	argVar  = "DOCKER_TEST_ARG"
	program = "/app" // this one, in the image
)

// container is the name of the one that all tests use; empty if there is none, and missing says why.
var container, missing string

func TestMain(m *testing.M) {
	delivery.Main()
	switch role := os.Getenv(roleVar); role {
	case "":
	case "init":
		idle()
	default:
		os.Exit(playRole(role, os.Getenv(argVar)))
	}
	os.Exit(inContainer(m))
}

// idle is the container's first process. Its children's ends are nobody's business.
func idle() {
	signal.Ignore(syscall.SIGCHLD)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	os.Exit(0)
}

// inContainer runs the tests beside a container, which is gone afterwards.
func inContainer(m *testing.M) int {
	name := fmt.Sprintf("deliveryboy-test-%d", os.Getpid())
	defer func() {
		_ = docker(nil, "rm", "-f", name)
		_ = docker(nil, "rmi", "-f", name)
	}()
	if err := start(name); err != nil {
		missing = err.Error()
		fmt.Fprintln(os.Stderr, "NOT TESTED, no containers:", missing)
	} else {
		container = name
	}
	return m.Run()
}

func start(name string) error {
	if err := docker(nil, "version"); err != nil {
		return err
	}
	var image bytes.Buffer
	if err := writeImage(&image); err != nil {
		return err
	}
	if err := docker(&image, "import", "-", name); err != nil {
		return err
	}
	return docker(nil, "run", "--detach", "--network", "none", "--name", name, "--env", roleVar+"=init", name, program)
}

func docker(stdin io.Reader, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("docker %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// writeImage writes a root file system: this program, and the libraries that it needs if it is not static.
func writeImage(w io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	files := map[string]string{program: exe}
	out, _ := exec.Command("ldd", exe).Output() // fails for a static one
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") {
			files[word] = word
		}
	}
	image := tar.NewWriter(w)
	for _, dir := range []string{"tmp/", "var/", "var/lib/"} {
		if err := image.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return err
		}
	}
	for name, source := range files {
		data, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := image.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Size: int64(len(data))}); err != nil {
			return err
		}
		if _, err := image.Write(data); err != nil {
			return err
		}
	}
	return image.Close()
}

// into is the way into the container; the test is skipped without one, and fails in CI.
func into(t *testing.T) transport.Transport {
	t.Helper()
	if container == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no containers: ", missing)
		}
		t.Skip("NOT TESTED, no containers: ", missing)
	}
	return through(container)
}

func through(container string) transport.Transport {
	return transport.Command{Prefix: []string{"/usr/bin/env", "docker", "exec", "-i", container}}
}
