package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
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

// TestServeOfSystemdOnTCP: a socket on TCP that was opened before is served to those who have a certificate, and to nobody
// without one; with systemd's own tool where there is one.
func TestServeOfSystemdOnTCP(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "deliveryboy")
	if err := os.Symlink(st.Binary, program); err != nil {
		t.Fatal(err)
	}
	c := newCertificates(t, dir)
	certified := []string{"--cert", c.server + ".pem", "--key", c.server + ".key", "--client-ca", c.ca, "--client-crl", c.revoked}
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
	via := transport.Socket{Address: l.Addr().String(), TLS: transport.TLS{Cert: c.caller + ".pem", Key: c.caller + ".key", CA: c.ca, CRL: c.revoked}}
	lost := via
	lost.TLS.Cert, lost.TLS.Key = c.lost+".pem", c.lost+".key"
	calls := func(t *testing.T) {
		t.Helper()
		if _, err := served.On(delivery.Once{Via: via})(); err != nil {
			t.Errorf("%+v", err)
		}
		var refused *box.TransportError
		if _, err := served.On(delivery.Once{Via: lost})(); !errors.As(err, &refused) || !strings.HasPrefix(refused.Reason, transport.ReasonRevoked) {
			t.Errorf("a certificate that is revoked: %+v", err)
		}
	}
	t.Run("handed over", func(t *testing.T) {
		cmd, log := activated(t, program, file, certified...)
		if line, err := log.ReadString('\n'); err != nil || !strings.Contains(line, "msg=serving") || !strings.Contains(line, via.Address) {
			t.Fatalf("it says %q, %v", line, err)
		}
		calls(t)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if _, err := log.ReadString(0); err == nil || cmd.Wait() != nil {
			t.Errorf("it ended so: %v, %s", err, cmd.ProcessState)
		}
	})
	t.Run("without certificates", func(t *testing.T) {
		cmd, log := activated(t, program, file)
		line, _ := log.ReadString('\n')
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitConfig || !strings.Contains(line, "needs a certificate") {
			t.Errorf("it says %q, and ends: %v", line, err)
		}
	})
	t.Run("systemd-socket-activate", func(t *testing.T) {
		activate, err := exec.LookPath("systemd-socket-activate")
		if err != nil {
			t.Skip("NOT TESTED, no systemd-socket-activate; its part was played above")
		}
		via.Address = freeAddress(t)
		lost.Address = via.Address
		cmd := exec.CommandContext(t.Context(), activate, append([]string{"--listen=" + via.Address, program, "serve"}, certified...)...)
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		log := bufio.NewReader(stderr)
		if line, err := log.ReadString('\n'); err != nil || !strings.Contains(line, "Listening on") {
			t.Fatalf("it says %q, %v", line, err)
		}
		go func() { _, _ = io.Copy(io.Discard, log) }() // ends with the process
		calls(t)                                        // the first of them starts the server
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended so: %v", err)
		}
	})
}

// freeAddress is one on which nobody listened a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestServeOfSystemdRefuses has each thing that systemd could hand over and nobody can be served on.
func TestServeOfSystemdRefuses(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "deliveryboy")
	if err := os.Symlink(st.Binary, program); err != nil {
		t.Fatal(err)
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	other := os.NewFile(uintptr(pair[1]), "the other end")
	defer other.Close()
	datagrams, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "app.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	listening, err := unix.File()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file *os.File
		args []string
		want string
	}{
		"a connection":              {os.NewFile(uintptr(pair[0]), "a connection"), nil, "Accept=no"},
		"datagrams":                 {os.NewFile(uintptr(datagrams), "datagrams"), nil, "ListenStream="},
		"no socket":                 {null, nil, "descriptor 3"},
		"a unix socket with a cert": {listening, []string{"--cert", "web1.pem"}, "are for TCP"},
	} {
		t.Run(name, func(t *testing.T) {
			defer c.file.Close()
			cmd, log := activated(t, program, c.file, c.args...)
			line, _ := log.ReadString('\n')
			if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(line, c.want) {
				t.Errorf("it says %q, and ends: %v", line, err)
			}
		})
	}
}

// activated starts the command as systemd does, and returns its stderr.
func activated(t *testing.T, program string, socket *os.File, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve "$@"`, program)
	cmd.Args = append(cmd.Args, args...)
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
