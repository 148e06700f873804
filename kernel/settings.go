package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Settings are those of a kernel that is to be started: where it listens, where it keeps what is to last, and whom it
// serves. The zero Settings are those of this user's own kernel.
type Settings struct {
	// Socket is where it listens, an absolute path of at most 107 bytes. Empty: DefaultSocket.
	Socket string

	// State is the directory of its values and of what processes print. Empty: of the default socket
	// $XDG_STATE_HOME/deliveryboy/kernel, or ~/.local/state/deliveryboy/kernel, and for root /var/lib/deliveryboy/kernel; of
	// another socket that path with ".state" at its end.
	State string

	// AllowUIDs may connect besides the kernel's own user and root. They see nothing of each other.
	AllowUIDs []int

	// Connections is how many one user may have at once. 0: 4096.
	Connections int

	// Log is the file for what an administrator may want to know. Empty: "log" in State, for a kernel without a terminal;
	// else stderr.
	Log string

	// PIDFile gets the process number of the holder, the process to signal. It is removed at the end. Empty: none.
	PIDFile string
}

const maxConnections = 1 << 20

// DefaultSocket is where a user's own kernel listens: /run/deliveryboy/kernel.sock for root, else deliveryboy/kernel.sock in
// $XDG_RUNTIME_DIR or, where there is none or it is another user's, as after su, in ~/.local/state.
func DefaultSocket() (string, error) {
	if os.Geteuid() == 0 {
		return "/run/deliveryboy/kernel.sock", nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && own(dir) {
		return filepath.Join(dir, "deliveryboy", "kernel.sock"), nil
	}
	dir, err := stateHome()
	return filepath.Join(dir, "deliveryboy", "kernel.sock"), err
}

// own reports whether a directory is there, and this user's.
func own(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func stateHome() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("kernel: no place for its socket and state: %w; set XDG_STATE_HOME or name a socket", err)
	}
	return filepath.Join(home, ".local", "state"), nil
}

// Complete refuses what cannot be and fills in what is not given.
func (s *Settings) Complete() error {
	standard := s.Socket == ""
	if standard {
		var err error
		if s.Socket, err = DefaultSocket(); err != nil {
			return err
		}
	}
	if err := CheckSocketPath(s.Socket); err != nil {
		return err
	}
	switch {
	case s.State != "":
	case !standard:
		s.State = strings.TrimSuffix(s.Socket, ".sock") + ".state"
	case os.Geteuid() == 0:
		s.State = "/var/lib/deliveryboy/kernel"
	default:
		dir, err := stateHome()
		if err != nil {
			return err
		}
		s.State = filepath.Join(dir, "deliveryboy", "kernel")
	}
	for what, path := range map[string]string{"state": s.State, "log": s.Log, "pidfile": s.PIDFile} {
		if path != "" && (!filepath.IsAbs(path) || filepath.Clean(path) != path) {
			return fmt.Errorf("kernel: %s %q: a clean absolute path is needed", what, path)
		}
	}
	if s.Connections < 0 || s.Connections > maxConnections {
		return fmt.Errorf("kernel: connections %d: there may be 1 to %d", s.Connections, maxConnections)
	}
	for _, uid := range s.AllowUIDs {
		if uid < 0 {
			return fmt.Errorf("kernel: uid %d: it must not be negative", uid)
		}
	}
	return nil
}

// CheckSocketPath says what is wrong with the path of a kernel's socket.
func CheckSocketPath(path string) error {
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("kernel: socket %.200q: Path to Unix socket must be absolute", path)
	case filepath.Clean(path) != path || path == "/" || strings.IndexByte(path, 0) >= 0:
		return fmt.Errorf("kernel: socket %.200q: a clean path of a file is needed", path)
	case len(path) > maxPath:
		return fmt.Errorf("kernel: socket %.200q: the path has %d bytes; at most %d are possible", path, len(path), maxPath)
	}
	return nil
}

// ErrRunning says that another kernel listens on that socket.
var ErrRunning = errors.New("another kernel is there")

// startTime is how long a kernel may take to get ready.
const startTime = 30 * time.Second

// logFile is the log of a kernel without a terminal.
func (s *Settings) logFile() string {
	if s.Log != "" {
		return s.Log
	}
	return filepath.Join(s.State, "log")
}
