package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/pathway"
	"github.com/seed354a1416/deliveryboy/kernel"
)

// outliveLog has this process go on when nobody reads its log any more: "kernel serve | head" is no reason to end. SIGPIPE
// is not ignored, but not listened to: what is ignored would be so in all that is started.
func outliveLog() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// maxLog is how long the log of a daemon gets before it is put aside, when a kernel starts.
const maxLog = 1 << 20

// daemon is a kernel without a terminal: package detached has given it a session of its own, and /dev/null. Its first file is
// a pipe to whoever started it: the settings come from there, and back goes one line of JSON that says whether it runs.
func daemon() (code int, err error) {
	pipe := detached.File(0)
	closeStrays(int(pipe.Fd()))
	unix.Umask(0o077)
	if err := os.Chdir("/"); err != nil {
		return 1, err
	}
	var set kernel.Settings
	tell := func(err error) {
		answer := kernel.Started{}
		if err != nil {
			answer.Error, answer.Running = err.Error(), errors.Is(err, kernel.ErrRunning)
		}
		_ = json.NewEncoder(pipe).Encode(answer)
		pipe.Close()
	}
	if err = json.NewDecoder(io.LimitReader(pipe, 1<<20)).Decode(&set); err == nil {
		err = set.Complete()
	}
	if err != nil {
		tell(err)
		return 1, err
	}
	if set.Log == "" {
		set.Log = filepath.Join(set.State, "log")
	}
	told := false
	code, err = Run(set, nil, func() { told = true; tell(nil) })
	if !told {
		tell(err)
	}
	return code, err
}

// ownLog opens the log, which nobody else may have put there: they could read it, or have the kernel write to another file of
// its user's. A pipe is not waited for.
func ownLog(path string) (*os.File, error) {
	if _, _, err := pathway.Walk(filepath.Dir(path), pathway.Own); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.ENXIO) {
		return nil, fmt.Errorf("%s is a pipe that nobody reads", path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		st, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok || int(st.Uid) != os.Geteuid() && (st.Uid != 0 || info.Mode().IsRegular()):
			err = fmt.Errorf("%s belongs to another user", path)
		case info.Mode().IsRegular() && st.Nlink != 1:
			err = fmt.Errorf("%s has another name, too", path)
		}
	}
	if err == nil {
		err = unix.SetNonblock(int(f.Fd()), false)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openLog has stdout and stderr go to the log. One that has become long is kept under another name, once.
func openLog(path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return fmt.Errorf("kernel: log: %w", err)
		}
	}
	f, err := ownLog(path)
	if err != nil {
		return fmt.Errorf("kernel: log: %w", err)
	}
	defer f.Close()
	for _, fd := range []int{1, 2} {
		if err := onto(int(f.Fd()), fd); err != nil {
			return fmt.Errorf("kernel: log: %w", err)
		}
	}
	return nil
}
