package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var here *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	here = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

func TestOpenfile(t *testing.T) {
	here.NeedSudo(t)
	var stdout, stderr strings.Builder
	if code := run([]string{"/etc/shadow"}, &stdout, &stderr); code != 0 {
		t.Fatalf("status %d\n%s%s", code, stdout.String(), stderr.String())
	}
	for _, want := range []string{
		fmt.Sprintf("as uid %d: open /etc/shadow: permission denied\n", os.Getuid()),
		"via sudo: open\n", fmt.Sprintf("lines, read by uid %d\n", os.Getuid()),
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("got\n%s\nwithout %q", stdout.String(), want)
		}
	}
	if strings.Contains(stdout.String(), "has 0 lines") {
		t.Error("nothing could be read")
	}
}

func TestNotOverSSH(t *testing.T) {
	here.NeedSSH(t)
	var stdout, stderr strings.Builder
	via := fmt.Sprintf("ssh=%s@127.0.0.1:%d", here.User, here.SSHPort)
	if code := run([]string{"-via", via, "/etc/hostname"}, &stdout, &stderr); code != 1 || !strings.Contains(stdout.String(), "io.ReadCloser") {
		t.Errorf("status %d, want a refusal with advice:\n%s%s", code, stdout.String(), stderr.String())
	}
}

func TestErrors(t *testing.T) {
	here.NeedSudo(t)
	var stdout, stderr strings.Builder
	if code := run([]string{"/no/such/file"}, &stdout, &stderr); code != 1 || !strings.Contains(stdout.String(), "via sudo: open /no/such/file: no such file") {
		t.Errorf("status %d\n%s", code, stdout.String())
	}
	if code := run(nil, &stdout, &stderr); code != 64 || !strings.Contains(stderr.String(), "usage: ") {
		t.Errorf("status %d, %q", code, stderr.String())
	}
}
