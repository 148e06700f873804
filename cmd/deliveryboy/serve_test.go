package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

var served = registry.Register("served", func() (int, error) { return os.Getppid(), nil })

// TestServeOfSystemd: a socket that was opened before is served, stays when the server ends, and cannot be one for TCP.
func TestServeOfSystemd(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "deliveryboy")
	if err := os.Symlink(st.Binary, program); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "app.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd, log := activated(t, program, file)
	if line, err := log.ReadString('\n'); err != nil || !strings.Contains(line, "msg=serving") {
		t.Fatalf("it says %q, %v", line, err)
	}
	if _, err := served.On(delivery.Once{Via: transport.Socket{Path: path}})(); err != nil {
		t.Fatalf("%+v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := log.ReadString(0); err == nil || cmd.Wait() != nil {
		t.Errorf("it ended so: %v, %s", err, cmd.ProcessState)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket is systemd's, and has to stay: %v", err)
	}
}

func TestServeOfSystemdRefusesTCP(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "deliveryboy")
	if err := os.Symlink(st.Binary, program); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd, log := activated(t, program, file)
	line, _ := log.ReadString('\n')
	if err := cmd.Wait(); err == nil || !strings.Contains(line, "no unix socket") {
		t.Errorf("it says %q, and ends: %v", line, err)
	}
}

// activated starts the command as systemd does, and returns its stderr.
func activated(t *testing.T, program string, socket *os.File) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve`, program)
	cmd.ExtraFiles = []*os.File{socket}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(stderr)
}
