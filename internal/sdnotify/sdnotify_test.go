package sdnotify

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTell(t *testing.T) {
	dir, err := os.MkdirTemp("", "sd") // a short path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv(variable, path)
	m := Take()
	if value, there := os.LookupEnv(variable); there {
		t.Errorf("what this process starts still has %q", value)
	}
	if err := m.Tell("READY=1", "MAINPID=7"); err != nil {
		t.Fatal(err)
	}
	_ = manager.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 100)
	if n, err := manager.Read(buf); string(buf[:n]) != "READY=1\nMAINPID=7\n" || err != nil {
		t.Errorf("it hears %q, %v", buf[:n], err)
	}
	_ = manager.Close()
	if err := m.Tell("READY=1"); err == nil || !strings.Contains(err.Error(), "cannot be told") {
		t.Errorf("a manager that is gone: %v", err)
	}
}

func TestNobody(t *testing.T) {
	t.Setenv(variable, "")
	if m := Take(); m != nil || m.Tell("READY=1") != nil {
		t.Errorf("a manager out of nothing: %+v", m)
	}
}
