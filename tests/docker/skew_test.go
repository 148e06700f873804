package docker

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	thisbuild "github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// tell returns its argument; the build that runs it shows that it is the right one.
var tell = registry.Register("docker.tell", func(text string) (string, error) { return thisbuild.ID() + text, nil })

// TestReplacedBetweenTwoCalls: a program in a container that is replaced gets no argument; tests/skew has the other ways.
func TestReplacedBetweenTwoCalls(t *testing.T) {
	into(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	right, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	id := []byte(thisbuild.ID())
	wrong := bytes.ReplaceAll(right, id, bytes.Repeat([]byte("x"), len(id)))
	if bytes.Equal(wrong, right) {
		t.Fatal("the build ID is not in the file")
	}
	install := func(content []byte, path string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "file")
		err := os.WriteFile(file, content, 0o755) //nolint:gosec // a program
		if err = errors.Join(err, docker(nil, "cp", file, shelled+":"+path)); err != nil {
			t.Fatal(err)
		}
	}
	canary := strings.Repeat("canary-argument-", 1<<8)
	once := delivery.Once{Via: transport.Docker{Container: shelled}, Program: "/tmp/skewed"}
	install(right, "/tmp/skewed")
	if got, err := tell.On(once)("."); err != nil || got != thisbuild.ID()+"." {
		t.Fatalf("%q, %+v", got, err)
	}
	install(wrong, "/tmp/other")
	for _, program := range [][]byte{wrong, recorder} {
		install(program, "/tmp/skewed")
		got, err := tell.On(once)(canary)
		var skew *box.VersionSkewError
		var lost *box.DeliveryError
		if !errors.As(err, &skew) || !errors.As(err, &lost) || lost.Fate != box.NotStarted {
			t.Errorf("%.40q, %+v", got, err)
		}
	}
	sent, err := exec.CommandContext(t.Context(), "docker", "exec", shelled, "/bin/cat", "/tmp/stdin").Output()
	if err != nil || len(sent) == 0 || bytes.Contains(sent, []byte("canary")) {
		t.Errorf("the wrong build got %d bytes: %.300q, %v", len(sent), sent, err)
	}
}

// recorder notes what comes in, as far as another build takes it.
var recorder = []byte(`#!/bin/sh
while IFS= read -r line; do
	echo "$line" >>/tmp/stdin
	echo "$line"
done | /tmp/other "$@"
`)
