package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/doorway"
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
// one of systemd's, takes the place of the settings' socket; nil for none. Ready is called when clients can connect. The
// result is an exit code.
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
	control, err := open(set, l)
	if err != nil {
		return 1, err
	}
	note, err := json.Marshal(set)
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
	})
}

// open makes what only one kernel can have.
func open(set kernel.Settings, l *net.UnixListener) (holder.Held, error) {
	var lock *os.File
	var err error
	if err = checkState(set.State); err != nil {
		return holder.Held{}, err
	}
	if l == nil {
		if l, lock, err = doorway.Open(set.Socket, len(set.AllowUIDs) > 0); err != nil {
			if errors.Is(err, doorway.ErrTaken) {
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
	files := []*os.File{file}
	if lock != nil {
		files = append(files, lock)
	}
	return holder.Held{Files: files}, nil
}

// serveHeld is the server of a holder.
func serveHeld() (code int, err error) {
	outliveLog()
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
	var set kernel.Settings
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
	notify(past.Holder)
	s.facts = append(s.facts, fact{"holder", func() string {
		if link.Lost() {
			return "lost"
		}
		return strconv.Itoa(past.Holder)
	}})
	s.listen()
	s.renewHolder()
	err = s.Serve(endings.ctx)
	if len(control.Files) > 1 { // not systemd's
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
