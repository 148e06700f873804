package docker

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

// startSSHD runs a real sshd on a loopback port for root, and returns how to reach it. It sees the machine's own /run, where
// docker listens, under a private one with the directory that sshd wants.
func startSSHD(t *testing.T) transport.SSH {
	t.Helper()
	for _, name := range []string{"/usr/sbin/sshd", "ssh", "ssh-keygen", "unshare", "sudo"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip("NOT TESTED, no ", name)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "t") // short, for the name of a socket; of mode 0700
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"host", "id"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	port := freePort(t)
	key, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"known": fmt.Sprintf("[127.0.0.1]:%d %s", port, key),
		"sshd_config": fmt.Sprintf("ListenAddress 127.0.0.1\nPort %d\nHostKey %s/host\nUsePAM no\nPidFile none\nStrictModes no\n"+
			"AuthorizedKeysFile %s/id.pub\nPermitRootLogin yes\nMaxStartups 100\nMaxSessions 100\n", port, dir, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runSSHD(t, filepath.Join(dir, "sshd_config"))
	t.Setenv("XDG_RUNTIME_DIR", dir)
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
	script := `mount -t tmpfs none /mnt && mkdir /mnt/run && mount --rbind /run /mnt/run && mount -t tmpfs none /run &&
		mkdir -m 755 /run/sshd && : >/run/docker.sock && mount --bind /mnt/run/docker.sock /run/docker.sock &&
		exec /usr/sbin/sshd -D -e -f "$1"`
	cmd := exec.Command("unshare", "--mount", "sh", "-c", script, "sh", config)
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
