package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// startSSHD runs a real sshd on a loopback port and returns how to reach it. sshd wants a directory in /run, which a
// private mount namespace provides.
func startSSHD(t *testing.T) transport.SSH {
	t.Helper()
	needRoot(t)
	for _, program := range []string{"/usr/sbin/sshd", "ssh", "ssh-keygen", "unshare"} {
		need(t, program)
	}
	dir := t.TempDir()
	for _, name := range []string{"host", "other", "id", "stranger"} {
		keygen := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name))
		if out, err := keygen.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	port := freePort(t)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name+".pub"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write("known", fmt.Sprintf("[127.0.0.1]:%d %s", port, key("host")))
	write("changed", fmt.Sprintf("[127.0.0.1]:%d %s", port, key("other")))
	write("empty", "")
	write("sshd_config", fmt.Sprintf("ListenAddress 127.0.0.1\nPort %d\nHostKey %s/host\nUsePAM no\nPidFile none\n"+
		"StrictModes no\nAuthorizedKeysFile %s/id.pub\nPermitRootLogin yes\nMaxStartups 100\n", port, dir, dir))
	runSSHD(t, filepath.Join(dir, "sshd_config"))
	t.Setenv("XDG_RUNTIME_DIR", privateDir(t))
	via := transport.SSH{Host: "127.0.0.1", User: "root", Port: port, ConfigFile: "none",
		Identity: filepath.Join(dir, "id"), KnownHosts: filepath.Join(dir, "known")}
	t.Cleanup(func() {
		if err := via.CloseShared(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return via
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// runSSHD returns when sshd listens.
func runSSHD(t *testing.T, config string) {
	t.Helper()
	cmd := exec.Command("unshare", "--mount", "sh", "-c",
		`mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec /usr/sbin/sshd -D -e -f "$1"`, "sh", config)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	listening := false
	var text strings.Builder
	for !listening && lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		listening = strings.Contains(lines.Text(), "Server listening")
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-drained
		cmd.Wait()
	})
	if !listening {
		t.Skipf("sshd does not start here: %s", text.String())
	}
}

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
	via := startSSHD(t)
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
	via := startSSHD(t)
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
	via := startSSHD(t)
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
