package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// Options are where a kernel listens, where it keeps its state, and whom it serves.
type Options struct {
	// Listener is the control socket.
	Listener *net.UnixListener

	// State is the directory for what has to outlive the server. It is made if it is missing, belongs to the kernel's user,
	// and is nobody else's to write or read.
	State string

	// Link and Past are those of the holder that started this process. Without, the kernel is part of another program, and
	// what it keeps ends with that, but for the values.
	Link *holder.Link
	Past holder.Past

	// AllowUIDs may connect besides the kernel's own user and root. They see nothing of each other.
	AllowUIDs []int

	// Connections is how many one user may have at once. 0: 4096.
	Connections int

	// Memory is how many bytes one user's connections may hold at once: unfinished commands, those that run, and unread
	// replies, with all that their buffers take. 0: 512 MiB.
	Memory int

	// Log gets a record for what an administrator may want to know, never a value. Nil: slog.Default.
	Log *slog.Logger
}

const (
	defaultConnections = 4096
	defaultMemory      = 512 << 20
)

func (o *Options) check() error {
	switch {
	case o.Listener == nil:
		return errors.New("kernel: no listener given")
	case o.Connections < 0:
		return fmt.Errorf("kernel: connections %d: it must not be negative", o.Connections)
	case o.Memory < 0:
		return fmt.Errorf("kernel: memory %d: it must not be negative", o.Memory)
	}
	if err := checkState(o.State); err != nil {
		return err
	}
	if o.Connections == 0 {
		o.Connections = defaultConnections
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return nil
}

// checkState makes the directory, and refuses one that is not this user's alone, or that others could put in another's place.
func checkState(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("kernel: state %q: an absolute path is needed", dir)
	}
	if err := pathway.Make(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("kernel: state %q: %w", dir, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("kernel: state: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("kernel: state: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("kernel: state %q: it is no directory", dir)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("kernel: state %q: it belongs to uid %d, and this is uid %d", dir, st.Uid, os.Geteuid())
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("kernel: state %q: others have access to it (mode %04o); chmod 700 it", dir, info.Mode().Perm())
	}
	return nil
}
