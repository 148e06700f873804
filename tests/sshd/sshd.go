// Package sshd runs a real sshd for root on a loopback port, on this machine's own files. Tests that need no more than that
// use it; those with users and sudo rules of their own are in tests/stage.
package sshd

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
)

// A Server is an sshd that runs until the test ends.
type Server struct {
	Dir string // of mode 0700, with the keys, and what it trusts
	Via transport.SSH
}

// Keys are the pairs of keys in [Server.Dir]: the host's own, another host's, that of the user, and one that nobody knows.
// The host's is in the file known, the other one in changed, and none in empty.
var Keys = []string{"host", "other", "id", "stranger"}

const config = `ListenAddress 127.0.0.1
Port %d
HostKey %[2]s/host
UsePAM no
PidFile none
StrictModes no
AuthorizedKeysFile %[2]s/id.pub
PermitRootLogin yes
MaxStartups 100
MaxSessions 100
`

// start has sshd find the directory in /run that it wants; binds are files of /run that it sees as well.
const start = `mount -t tmpfs none /mnt && mkdir /mnt/run && mount --rbind /run /mnt/run && mount -t tmpfs none /run && mkdir -m 755 /run/sshd || exit
config=$1; shift
for file; do : >"/run/$file" && mount --bind "/mnt/run/$file" "/run/$file" || exit; done
exec /usr/sbin/sshd -D -e -f "$config"`

// Start needs root, sshd, ssh, ssh-keygen and unshare; without one it skips the test, and in CI fails it. The server sees
// the machine's own files, and of /run only those that are named. XDG_RUNTIME_DIR is set, for shared connections.
func Start(t *testing.T, run ...string) Server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: needs root")
	}
	for _, program := range []string{"/usr/sbin/sshd", "ssh", "ssh-keygen", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip("NOT TESTED: ", err)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "t") // short, for the names of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	port := FreePort(t)
	write(t, dir, port)
	listen(t, append([]string{filepath.Join(dir, "sshd_config")}, run...))
	t.Setenv("XDG_RUNTIME_DIR", dir)
	s := Server{dir, transport.SSH{Host: "127.0.0.1", User: "root", Port: port, ConfigFile: "none",
		Identity: filepath.Join(dir, "id"), KnownHosts: filepath.Join(dir, "known")}}
	t.Cleanup(func() {
		if err := s.Via.CloseShared(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// write writes the files of a server.
func write(t *testing.T, dir string, port int) {
	t.Helper()
	public := map[string][]byte{}
	for _, name := range Keys {
		file := filepath.Join(dir, name)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		key, err := os.ReadFile(file + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		public[name] = key
	}
	for name, text := range map[string]string{
		"known":       fmt.Sprintf("[127.0.0.1]:%d %s", port, public["host"]),
		"changed":     fmt.Sprintf("[127.0.0.1]:%d %s", port, public["other"]),
		"empty":       "",
		"sshd_config": fmt.Sprintf(config, port, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// FreePort is a port of 127.0.0.1 at which nobody listens.
func FreePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// listen returns when sshd listens.
func listen(t *testing.T, args []string) {
	t.Helper()
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", start, "sh"}, args...)...)
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
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait()
	})
	if !listening {
		t.Fatalf("sshd does not start here: %s", text.String())
	}
}
