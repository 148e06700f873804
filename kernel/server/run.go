package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/doorway"
	"github.com/seed354a1416/deliveryboy/internal/sdnotify"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// controlKey is under what a holder keeps the control socket, its lock, and the settings.
const controlKey = "control"

// roleServer is what the holder starts.
const roleServer = "kernel-server"

func init() {
	detached.Role(roleServer, func([]string) int { return report(serveHeld()) })
	detached.Role(kernel.Role, func([]string) int { return report(daemon()) })
}

// report writes an error where a log may be, and is the exit code.
func report(code int, err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "deliveryboy:", err)
		return max(code, 1)
	}
	return code
}

// Run is a kernel in this process and its children: this one becomes the holder. A listener that is there already, such as
// one of systemd's, takes the place of the settings' socket; nil for none. Ready is called when clients can connect; a service
// manager that has started this process is told when they are answered. The result is an exit code.
func Run(set kernel.Settings, l *net.UnixListener, ready func()) (code int, err error) {
	if runtime.GOOS != "linux" {
		return 1, holder.ErrSystem
	}
	if l != nil {
		set.Socket = l.Addr().String()
	}
	if err := set.Complete(); err != nil {
		return 1, err
	}
	manager := sdnotify.Take()
	control, err := open(set, l)
	if errors.Is(err, kernel.ErrRunning) && manager != nil {
		if unknown := makeKnown(set, manager); unknown != nil {
			return 1, fmt.Errorf("%w, and does not say who it is: %w", err, unknown)
		}
		return 0, nil
	}
	if err != nil {
		return 1, err
	}
	note, err := json.Marshal(settled{set, l != nil})
	if err != nil {
		return 1, err
	}
	if set.Log != "" {
		if err := openLog(set.Log); err != nil {
			return 1, err
		}
	}
	name, err := os.Executable()
	if err != nil {
		return 1, fmt.Errorf("kernel: %w", err)
	}
	control.Key, control.Note = controlKey, note
	ready() // from here on they wait in the backlog
	return holder.Run(holder.Options{
		Argv: []string{name, detached.Verb, roleServer, set.Socket}, // the path is for those who look at processes
		Held: []holder.Held{control},
		Ready: func() {
			if err := manager.Tell("READY=1", "MAINPID="+strconv.Itoa(os.Getpid())); err != nil {
				fmt.Fprintln(os.Stderr, "deliveryboy: kernel:", err)
			}
		},
	})
}

// settled is what servers have to know. Given says that the socket is somebody else's, such as systemd's.
type settled struct {
	kernel.Settings
	Given bool
}

// open makes what only one kernel can have.
func open(set kernel.Settings, l *net.UnixListener) (holder.Held, error) {
	var lock *os.File
	var err error
	if err = checkState(set.State); err != nil {
		return holder.Held{}, err
	}
	if l != nil {
		if lock, err = lockState(set.State); err != nil {
			return holder.Held{}, err
		}
	} else {
		if l, lock, err = doorway.Open(set.Socket, len(set.AllowUIDs) > 0); err != nil {
			if errors.Is(err, doorway.ErrTaken) && !errors.Is(err, doorway.ErrSilent) {
				err = fmt.Errorf("socket %q: %w", set.Socket, kernel.ErrRunning)
			}
			return holder.Held{}, fmt.Errorf("kernel: %w", err)
		}
	}
	l.SetUnlinkOnClose(false)
	file, err := l.File()
	_ = l.Close() // the file stays open
	if err != nil {
		return holder.Held{}, fmt.Errorf("kernel: %w", err)
	}
	if set.PIDFile != "" {
		if err := checkPIDFile(set.PIDFile); err != nil {
			return holder.Held{}, err
		}
	}
	return holder.Held{Files: []*os.File{file, lock}}, nil
}

// lockState takes a state whose socket has no lock beside it.
func lockState(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	raw, err := lock.SyscallConn()
	if err == nil {
		failed := raw.Control(func(fd uintptr) { err = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
		err = errors.Join(failed, err)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = kernel.ErrRunning
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("kernel: state %q: %w", dir, err)
	}
	return lock, nil
}

// serveHeld is the server of a holder.
func serveHeld() (code int, err error) {
	outliveLog()
	// Go starts one process at a time, and has a place among those that run in parallel taken until that has become its
	// program. All CPUs are for the others.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	endings, stop := terminated(context.Background())
	defer stop()
	link, past, err := holder.Join()
	if err != nil {
		return 1, err
	}
	at := slices.IndexFunc(past.Held, func(h holder.Held) bool { return h.Key == controlKey })
	if at < 0 {
		return 1, errors.New("kernel: the holder has no control socket")
	}
	control := past.Held[at]
	var set settled
	if err := json.Unmarshal(control.Note, &set); err != nil {
		return 1, fmt.Errorf("kernel: settings: %w", err)
	}
	l, err := listenerOf(control.Files)
	if err != nil {
		return 1, err
	}
	s, err := New(Options{
		Listener: l, State: set.State, AllowUIDs: set.AllowUIDs, Connections: set.Connections,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Link: link, Past: past,
	})
	if err != nil {
		return 1, err
	}
	s.endings = endings
	if set.PIDFile != "" {
		if err := writePIDFile(set.PIDFile, past.Holder); err != nil {
			s.log.Error("no pidfile", "error", err)
		}
		defer removePIDFile(set.PIDFile, past.Holder)
	}
	if err := link.Ready(); err != nil {
		return 1, err
	}
	s.facts = append(s.facts, fact{"holder", func() string {
		if link.Lost() {
			return "lost"
		}
		return strconv.Itoa(past.Holder)
	}})
	s.listen()
	s.renewHolder()
	err = s.Serve(endings.ctx)
	if !set.Given && len(control.Files) > 1 { // an older holder has no lock of a socket that it was given
		err = errors.Join(err, os.Remove(set.Socket))
	}
	return 0, err
}

func listenerOf(files []*os.File) (*net.UnixListener, error) {
	if len(files) == 0 {
		return nil, errors.New("kernel: the holder has no control socket")
	}
	any, err := net.FileListener(files[0])
	if err != nil {
		return nil, fmt.Errorf("kernel: control socket: %w", err)
	}
	l, ok := any.(*net.UnixListener)
	if !ok {
		return nil, errors.New("kernel: the control socket is no unix socket of streams")
	}
	l.SetUnlinkOnClose(false)
	return l, nil
}
