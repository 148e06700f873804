package transport_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// needRoot skips what only root can do here without configuration.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// need skips when a program is missing from this machine.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("needs %s", program)
	}
}

func TestSelf(t *testing.T) {
	transporttest.Run(t, transport.Self{}, transporttest.Local)
	transporttest.Run(t, transport.Chain{}, transporttest.Local)
	transporttest.Run(t, transport.Chain{nil, transport.Self{}, transport.Chain{}}, transporttest.Local)
}

func TestSudo(t *testing.T) {
	needRoot(t)
	need(t, "sudo")
	for _, sudo := range []transport.Sudo{
		{},
		{User: "nobody"},
		{User: "#65534", Group: "#1", Home: true, ResetTicket: true},
		{Group: "daemon", PreserveEnv: []string{"LANG", "FOO"}},
		{Program: "/usr/bin/sudo", User: "nobody"},
		{Login: true},
		{Login: true, User: "root", Home: true},
	} {
		t.Run(sudo.String(), func(t *testing.T) { transporttest.Run(t, sudo, transporttest.Local) })
	}
}

// TestSudoGroup pins that a group alone still means root: sudo -g without -u would keep the calling user.
func TestSudoGroup(t *testing.T) {
	needRoot(t)
	need(t, "sudo")
	via := transport.Chain{transport.Sudo{User: "nobody"}}
	for _, c := range []struct {
		via  transport.Transport
		want string
	}{
		{transport.Sudo{Group: "daemon"}, "0:1\n"},
		{transport.Sudo{User: "nobody", Group: "daemon"}, "65534:1\n"},
		{via, "65534:65534\n"},
	} {
		out, err := transporttest.Local(t, c.via, []string{"/bin/sh", "-c", `echo $(id -u):$(id -g)`}).Output()
		if err != nil || string(out) != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.via, out, err, c.want)
		}
	}
}

func TestUserns(t *testing.T) {
	need(t, "unshare")
	if exec.Command("unshare", "--user", "--map-root-user", "--", "true").Run() != nil {
		t.Skip("user namespaces are not allowed here")
	}
	transporttest.Run(t, transport.Userns{}, transporttest.Local)
	transporttest.Run(t, transport.Userns{Program: "/usr/bin/unshare"}, transporttest.Local)
	out, err := transporttest.Local(t, transport.Userns{}, []string{"/bin/sh", "-c", "id -u; cat /proc/self/uid_map"}).Output()
	if err != nil || len(out) < 2 || string(out[:2]) != "0\n" {
		t.Errorf("got %q, %v, want uid 0", out, err)
	}
}

func TestCommand(t *testing.T) {
	for _, prefix := range [][]string{
		{"env"},
		{"/usr/bin/env", "-i", "--"},
		{"env", "A=it's // a \\ test/", "B=\xff\n\t'' ", "C="},
		{"sh", "-c", `exec "$@"`, ""},
	} {
		via := transport.Command{Prefix: prefix}
		t.Run(via.String(), func(t *testing.T) { transporttest.Run(t, via, transporttest.Local) })
	}
}

func TestChain(t *testing.T) {
	needRoot(t)
	need(t, "sudo")
	transporttest.Run(t, transport.Chain{
		transport.Sudo{User: "nobody"},
		transport.Chain{transport.Userns{}, nil},
		transport.Command{Prefix: []string{"env"}},
	}, transporttest.Local)
	transporttest.Run(t, transport.Chain{transport.Sudo{Login: true}, transport.Sudo{Login: true},
		transport.Sudo{User: "nobody"}}, transporttest.Local)
}

// farShell plays ssh: it hands the remote command line to a shell, as sshd does.
func farShell(shell string) transporttest.Runner {
	return func(t *testing.T, via transport.Transport, argv []string) *exec.Cmd {
		t.Helper()
		out, err := via.Command(argv)
		if err != nil {
			t.Fatal(err)
		}
		if out[len(out)-3] != "--" || out[len(out)-2] != "web1" {
			t.Fatalf("host and command line are not the last words: %.200q", out)
		}
		return exec.Command(shell, "-c", out[len(out)-1])
	}
}

func TestSSHQuoting(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", privateDir(t))
	for _, shell := range []string{"sh", "dash", "bash", "ksh", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			need(t, shell)
			run := farShell(shell)
			transporttest.Run(t, transport.SSH{Host: "web1"}, run)
			if shell != "sh" {
				return
			}
			transporttest.Run(t, transport.SSH{Host: "web1", User: "me", Port: 2222, NoShare: true}, run)
			transporttest.Run(t, transport.Chain{transport.SSH{Host: "web1", NoShare: true},
				transport.Command{Prefix: []string{"env", "A=$x 'y'"}}}, run)
			if os.Geteuid() == 0 {
				transporttest.Run(t, transport.Chain{transport.SSH{Host: "web1"}, transport.Sudo{User: "nobody"}}, run)
				transporttest.Run(t, transport.Chain{transport.SSH{Host: "web1"}, transport.Sudo{Login: true}}, run)
			}
		})
	}
}

// privateDir is a short directory of mode 0700: t.TempDir has long names and mode 0755.
func privateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
