package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// build makes the real program, where every user can run it.
func build(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hostaudit")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "hostaudit")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// needRoot skips what only root on Linux can show, but not where everything has to be tested.
func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case runtime.GOOS == "linux" && os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("CI must run this as root on Linux")
	default:
		t.Skip("NOT TESTED: needs root on Linux")
	}
}

// document is the part of the JSON output that the tests look at.
type document struct {
	Targets []struct {
		Target, Skipped, Error, User, Host string
		Failed                             bool
		UID                                int
		WorkerStart, CallTime              int64
		Audits                             []struct {
			Name, Error, Summary string
			Denied               bool
			Findings             []Finding
			Report               json.RawMessage
		}
	}
}

// runProgram runs the built program, as another user if asked, and decodes what it writes.
func runProgram(t *testing.T, uid uint32, args ...string) (doc document, stdout, stderr string) {
	t.Helper()
	var out, errOut strings.Builder
	cmd := exec.CommandContext(t.Context(), build(t), args...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("hostaudit: %v\n%s\n%s", err, out.String(), errOut.String())
	}
	if len(args) > 0 && args[0] == "-json" {
		if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
			t.Fatalf("not JSON: %v\n%s", err, out.String())
		}
	}
	return doc, out.String(), errOut.String()
}

// The whole demonstration: root makes the stage, an ordinary user audits the machine by six ways.
func TestDemo(t *testing.T) {
	t.Parallel()
	needRoot(t)
	doc, stdout, stderr := runProgram(t, 0, "-json")
	if len(doc.Targets) != len(names) {
		t.Fatalf("%d targets, want %d\n%s", len(doc.Targets), len(names), stdout)
	}
	saw := map[string]string{}
	for i, v := range doc.Targets {
		if v.Target != names[i] || v.Error != "" || v.Failed {
			t.Errorf("target %d is %+v", i, v)
		}
		if v.Skipped != "" {
			if v.Target != "userns" { // some systems forbid it to ordinary users
				t.Errorf("%s skipped: %s", v.Target, v.Skipped)
			}
			continue
		}
		root := v.Target == "sudo" || v.Target == "ssh+sudo"
		if root != (v.User == "root" && v.UID == 0) && v.Target != "userns" {
			t.Errorf("%s ran as %s, uid %d", v.Target, v.User, v.UID)
		}
		if v.CallTime <= 0 || v.WorkerStart <= 0 || v.WorkerStart > v.CallTime || v.Host == "" {
			t.Errorf("%s: worker start %d ns, call %d ns, host %q", v.Target, v.WorkerStart, v.CallTime, v.Host)
		}
		for _, a := range v.Audits {
			if a.Name != "listeners" { // sockets of other programs come and go
				saw[v.Target] += fmt.Sprint(a.Name, a.Error, a.Findings, "\n")
			}
			secret := a.Name == "passwords" || a.Name == "sudoers"
			if denied := secret && !root; a.Denied != denied || denied != strings.Contains(a.Error, "permission denied") {
				t.Errorf("%s on %s: denied %t, want %t (%s)", a.Name, v.Target, a.Denied, denied, a.Error)
			}
		}
	}
	if saw["sudo"] != saw["ssh+sudo"] || saw["process"] != saw["copy"] || saw["copy"] != saw["ssh"] {
		t.Errorf("the same user saw different things: %q", saw)
	}
	if strings.Contains(stdout, "$y$") || strings.Contains(stdout, "$6$") {
		t.Error("the output holds a password hash")
	}
	if !strings.Contains(stderr, "/etc of the machine: ") || !strings.Contains(stderr, ": unchanged\n") {
		t.Errorf("no word that /etc is unchanged: %s", stderr)
	}
}

// The text form, for one target.
func TestOneTarget(t *testing.T) {
	t.Parallel()
	needRoot(t)
	_, stdout, _ := runProgram(t, 0, "-target", "sudo")
	for _, want := range []string{"TARGET ", "sudo    root  0 ", "\n== sudo: ", "\npasswords ", " with a usable password\n", " may run everything as "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "comparison") {
		t.Errorf("compares one target\n%s", stdout)
	}
}

// An ordinary user gets what there is without a stage, and the reason for the rest.
func TestOrdinaryUser(t *testing.T) {
	t.Parallel()
	needRoot(t) // to become one
	doc, stdout, _ := runProgram(t, 65533, "-json")
	ran := 0
	for _, v := range doc.Targets {
		switch {
		case v.Target == "process", v.Target == "copy":
			ran++
			if v.Failed || len(v.Audits) != len(audits) || !v.Audits[0].Denied {
				t.Errorf("%s: %+v", v.Target, v)
			}
		case v.Target != "userns" && v.Skipped == "":
			t.Errorf("%s was not skipped: %+v", v.Target, v)
		}
	}
	if ran != 2 {
		t.Errorf("process and copy must run\n%s", stdout)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-help"}, 0, "-target"},
		{[]string{"-target", "moon\x1b"}, exitUsage, `take one of process, copy, userns, sudo, ssh, ssh+sudo`},
		{[]string{"extra"}, exitUsage, "none is expected"},
		{[]string{"-frobnicate"}, exitUsage, "not defined"},
	} {
		var stdout, stderr strings.Builder
		if code := run(tt.args, &stdout, &stderr); code != tt.code {
			t.Errorf("run(%q) = %d, want %d", tt.args, code, tt.code)
		}
		if text := stderr.String(); !strings.Contains(text, tt.says) || strings.Contains(text, "\x1b") {
			t.Errorf("run(%q) says %q, want %q in it", tt.args, text, tt.says)
		}
	}
}
