package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var here *stage.Stage

// TestMain makes the test binary play three parts: the worker, the program itself, and the tests.
func TestMain(m *testing.M) {
	delivery.Main()
	if os.Getenv("PLAY") == "quickstart" {
		main()
		os.Exit(0)
	}
	here = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

func quickstart(t *testing.T) (stdout, stderr string, err error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut strings.Builder
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "PLAY=quickstart")
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

func TestQuickstart(t *testing.T) {
	here.NeedSudo(t)
	stdout, stderr, err := quickstart(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 2 || strings.Contains(lines[0], "uid 0,") || !strings.Contains(lines[1], "hello gopher, from uid 0,") {
		t.Errorf("got\n%s\nwant a greeting from this user, and one from root", stdout)
	}
}

func TestWithoutRight(t *testing.T) {
	here.NeedSudo(t)
	here.NeedRoot(t)
	here.Root.SetSudoers(t, "root ALL = (ALL) ALL\n")
	stdout, stderr, err := quickstart(t)
	if err == nil || strings.Contains(stdout, "uid 0,") {
		t.Errorf("succeeded without a right: %s", stdout)
	}
	if !strings.Contains(stderr, "sudo -v") || strings.Contains(stderr, "goroutine") {
		t.Errorf("got\n%s\nwant advice, and no crash", stderr)
	}
}
