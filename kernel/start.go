package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/doorway"
	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

// Role is the name under which package detached starts a kernel; package kernel/server plays it.
const Role = "kernel"

// Started is what a kernel says to the process that started it, as JSON.
type Started struct {
	Error   string // empty: it runs
	Running bool   // another one runs on that socket
}

// Start starts a kernel of this program: a process of its own with a session of its own, directory "/", umask 077, and
// nothing of this process's terminal or open files, that stays until it is told to end. It returns when clients can
// connect. If one runs there already, the error is ErrRunning.
//
// The program has to import package kernel/server and to call delivery.Main first. At most one of many that call this at
// once starts a kernel; the others get ErrRunning.
func Start(ctx context.Context, set Settings) error {
	if !detached.Known(Role) {
		return fmt.Errorf("kernel: this program cannot be one: %w; run deliveryboy kernel serve, or import kernel/server and call delivery.Main", ErrUnavailable)
	}
	if err := set.Complete(); err != nil {
		return err
	}
	unlock, err := starting(ctx, set)
	if err != nil {
		return err
	}
	defer unlock()
	if conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: set.Socket, Net: "unix"}); err == nil {
		conn.Close()
		return ErrRunning
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("it is not ready after %s", startTime))
	defer cancel()
	if err := start(ctx, set); err != nil {
		return err
	}
	l, err := dial(ctx, Options{Socket: set.Socket}) // from its first words on it is ready
	if err != nil {
		return fmt.Errorf("kernel: it did not start; its log, %s, may say why: %w", set.logFile(), err)
	}
	l.close()
	return nil
}

// turnTime is how long somebody else may take who starts a kernel on the same socket: they give up before that.
const turnTime = 2 * startTime

// starting waits until nobody else starts a kernel on this socket.
func starting(ctx context.Context, set Settings) (unlock func(), err error) {
	if home, err := stateHome(); err == nil && os.Geteuid() != 0 && set.Socket == filepath.Join(home, "deliveryboy", "kernel.sock") {
		if err := pathway.Make(home); err != nil { // who comes here for the first time has none
			return nil, fmt.Errorf("kernel: %w", err)
		}
	}
	if err := doorway.CheckDir(filepath.Dir(set.Socket), len(set.AllowUIDs) > 0); err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	file, err := doorway.OpenLock(set.Socket + ".start")
	if err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, turnTime, fmt.Errorf("%s has been locked for %s; its process may be stopped", file.Name(), turnTime))
	defer cancel()
	for {
		switch err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return func() { file.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			file.Close()
			return nil, fmt.Errorf("kernel: lock %s: %w", file.Name(), err)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("kernel: somebody else is starting it, and does not come to an end: %w: %w", context.Cause(ctx), ErrUnavailable)
		case <-time.After(10 * time.Millisecond): // the lock has no way to tell
		}
	}
}

// start starts the process and waits for what it says.
func start(ctx context.Context, set Settings) error {
	syscall.ForkLock.RLock() // nothing is started before they are closed on exec
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return fmt.Errorf("kernel: %w", os.NewSyscallError("socketpair", err))
	}
	theirs := os.NewFile(uintptr(fds[1]), "kernel")
	_ = syscall.SetNonblock(fds[0], true)
	ours := os.NewFile(uintptr(fds[0]), "kernel")
	defer ours.Close()
	_, err = detached.StartBare(Role, []string{set.Socket}, theirs)
	theirs.Close()
	if err != nil {
		return fmt.Errorf("kernel: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = ours.SetDeadline(time.Now()) })()
	if err := json.NewEncoder(ours).Encode(set); err != nil {
		return fmt.Errorf("kernel: it did not start: %w", err)
	}
	var said Started
	if err := json.NewDecoder(io.LimitReader(ours, 1<<20)).Decode(&said); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("kernel: it did not say that it started: %w", err)
	}
	switch {
	case said.Running:
		return ErrRunning
	case said.Error != "":
		return fmt.Errorf("kernel: it did not start: %s: %w", said.Error, ErrUnavailable)
	}
	return nil
}
