package transport_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/seed354a1416/deliveryboy/tests/sshd"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// outcome runs argv behind via and returns its stdout and how it ended.
func outcome(t *testing.T, via transport.Transport, argv ...string) (string, transport.Exit) {
	t.Helper()
	cmd := transporttest.Local(t, via, argv)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return ended(t, cmd)
}

// ended runs cmd and returns its stdout and how it ended.
func ended(t *testing.T, cmd *exec.Cmd) (string, transport.Exit) {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), transport.Exit{Code: cmd.ProcessState.ExitCode(), Stderr: stderr.String()}
}

// sockets counts the control sockets that are open.
func sockets(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "deliveryboy"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(entries)
}

func TestSSH(t *testing.T) {
	via := sshd.Start(t).Via
	alone := via
	alone.NoShare = true
	transporttest.Run(t, alone, transporttest.Local)
	if n := sockets(t); n != 0 {
		t.Errorf("NoShare left %d sockets", n)
	}
	transporttest.Run(t, via, transporttest.Local)
	transporttest.Run(t, transport.Chain{via, transport.Sudo{User: "nobody"}}, transporttest.Local)
	transporttest.Run(t, transport.Chain{transport.Sudo{}, via, via}, transporttest.Local)
	if n := sockets(t); n != 1 {
		t.Errorf("%d sockets, want one shared connection", n)
	}
	for range 2 {
		if err := via.CloseShared(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := sockets(t); n != 0 {
		t.Errorf("%d sockets after CloseShared", n)
	}
}

// TestSSHTrust: a shared connection is not reused by a transport that trusts other keys, and a changed or unknown host
// key or a wrong identity sends nothing.
func TestSSHTrust(t *testing.T) {
	via := sshd.Start(t).Via
	if out, exit := outcome(t, via, "/bin/echo", "hello"); out != "hello\n" || exit.Code != 0 {
		t.Fatalf("got %q, %+v", out, exit)
	}
	dir := filepath.Dir(via.Identity)
	for _, c := range []struct {
		name   string
		change func(*transport.SSH)
		reason string
	}{
		{"changed", func(s *transport.SSH) { s.KnownHosts = filepath.Join(dir, "changed") }, transport.ReasonHostChanged},
		{"unknown", func(s *transport.SSH) { s.KnownHosts = filepath.Join(dir, "empty") }, transport.ReasonHostKey},
		{"identity", func(s *transport.SSH) { s.Identity = filepath.Join(dir, "stranger") }, transport.ReasonAuth},
		{"user", func(s *transport.SSH) { s.User = "no-such-user" }, transport.ReasonAuth},
	} {
		bad := via
		c.change(&bad)
		out, exit := outcome(t, bad, "/bin/echo", "hello")
		got := transport.Diagnose(bad, exit)
		if out != "" || exit.Code != 255 || got.Reason != c.reason || got.Hop != bad.String() || got.Advice == "" {
			t.Errorf("%s: got %q, %+v, diagnosis %+v", c.name, out, exit, got)
		}
	}
}

// TestSSHFarShell: what the shell on the far side says is told apart from what ssh says.
func TestSSHFarShell(t *testing.T) {
	via := sshd.Start(t).Via
	noSudo := transport.Sudo{Program: "/no/sudo"}
	for _, c := range []struct {
		via    transport.Transport
		argv   []string
		hop    string
		reason string
	}{
		{via, []string{"/no/such/app"}, via.String(), transport.ReasonNotFound},
		{via, []string{"/etc/passwd"}, via.String(), transport.ReasonNotRunnable},
		{via, []string{"/tmp"}, via.String(), transport.ReasonNotRunnable},
		{transport.Chain{via, noSudo}, []string{"/bin/true"}, noSudo.String(), transport.ReasonNotFound},
		{transport.Chain{via, transport.Sudo{User: "no-such-user"}}, []string{"/bin/true"},
			"sudo=no-such-user", transport.ReasonUnknownUser},
		{via, []string{"/bin/sh", "-c", "echo nothing known >&2; exit 1"}, "", ""},
	} {
		_, exit := outcome(t, c.via, c.argv...)
		if got := transport.Diagnose(c.via, exit); got.Hop != c.hop || got.Reason != c.reason {
			t.Errorf("%s %q: %+v gave %+v, want hop %q, reason %q", c.via, c.argv, exit, got, c.hop, c.reason)
		}
	}
}
