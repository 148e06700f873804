// Package sdnotify tells the service manager that has started this process how far it is; see sd_notify(3).
package sdnotify

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// variable is where systemd writes the address of its socket.
const variable = "NOTIFY_SOCKET"

// patience is how long a manager may take to hear something.
const patience = 10 * time.Second

// A Manager is a service manager. The nil Manager is none, and hears nothing.
type Manager struct{ path string }

// Take is the manager that wants to be told, nil if there is none. It takes its address out of the environment: what this
// process starts does not speak for it.
func Take() *Manager {
	path := os.Getenv(variable)
	_ = os.Unsetenv(variable)
	if path == "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(path, "@"); ok {
		path = "\x00" + rest
	}
	return &Manager{path}
}

// Tell tells assignments, such as "READY=1", all in one message.
func (m *Manager) Tell(assignments ...string) error {
	if m == nil {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("the service manager cannot be told: %w; unset %s if there is none", err, variable)
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte(strings.Join(assignments, "\n") + "\n")); err != nil {
		return fmt.Errorf("the service manager cannot be told: %w", err)
	}
	return nil
}
