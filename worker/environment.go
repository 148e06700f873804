package worker

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/transport"
)

// securePath is the PATH of every worker: the caller's must not decide what a root function runs.
const securePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// kept are the variables that a worker takes over from the transport; every name that begins with LC_ is too. All
// others, LD_PRELOAD and GODEBUG among them, end here: not every transport removes them.
var kept = []string{"HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM"}

// A settingError is a setting of the preamble that nobody may ask for.
type settingError struct{ what string }

func (e *settingError) Error() string { return e.what }

// settle puts the worker into the directory, umask, priority and environment that the caller asks for.
func settle(p *wire.Preamble) (grace time.Duration, err error) {
	if err := setEnvironment(p.Env); err != nil {
		return 0, err
	}
	if err := setUmask(p.Umask); err != nil {
		return 0, err
	}
	if err := setDir(p.Dir); err != nil {
		return 0, err
	}
	if err := setNice(p.Nice); err != nil {
		return 0, err
	}
	switch {
	case p.Grace == 0:
		return defaultGrace, nil
	case p.Grace < 0 || p.Grace > maxGrace:
		return 0, &settingError{fmt.Sprintf("grace %s: it must be between 0 and %s", p.Grace, maxGrace)}
	}
	return p.Grace, nil
}

// takenOver reports whether a worker keeps a variable of the transport's.
func takenOver(name string) bool {
	return slices.Contains(kept, name) || strings.HasPrefix(name, "LC_")
}

func setEnvironment(extra []string) error {
	if err := transport.CheckEnvironment(extra); err != nil {
		return &settingError{err.Error()}
	}
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !takenOver(name)
	})
	os.Clearenv()
	for _, entry := range slices.Concat([]string{"PATH=" + securePath}, home(env), extra) {
		name, value, _ := strings.Cut(entry, "=")
		if err := os.Setenv(name, value); err != nil {
			return &settingError{fmt.Sprintf("environment %q: %v", name, err)}
		}
	}
	return nil
}

// home replaces HOME and the names of the user in env if HOME is another user's: su and some sudo rules leave the
// caller's. Programs would read the caller's files there as if they were their own.
func home(env []string) []string {
	uid := os.Getuid()
	for _, entry := range env {
		if dir, ok := strings.CutPrefix(entry, "HOME="); ok && ownedBy(dir, uid) {
			return env
		}
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		u = &user.User{Username: strconv.Itoa(uid), HomeDir: "/"}
	}
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "HOME" || name == "USER" || name == "LOGNAME" || name == "SHELL"
	})
	return append(env, "HOME="+u.HomeDir, "USER="+u.Username, "LOGNAME="+u.Username, "SHELL=/bin/sh")
}

func ownedBy(dir string, uid int) bool {
	var st unix.Stat_t
	return filepath.IsAbs(dir) && unix.Stat(dir, &st) == nil && int(st.Uid) == uid
}

// setUmask sets the mask for new files; without a wish, nobody but the user gets at them.
func setUmask(mask *int) error {
	if mask == nil {
		syscall.Umask(0o077)
		return nil
	}
	if *mask < 0 || *mask > 0o777 {
		return &settingError{fmt.Sprintf("umask %#o: it must be between 0 and 0777", *mask)}
	}
	syscall.Umask(*mask)
	return nil
}

// setDir changes the directory; without a wish, it is the root: where the caller is means nothing on another host, and
// another user may not even see it.
func setDir(dir string) error {
	if dir == "" {
		return os.Chdir("/")
	}
	if !filepath.IsAbs(dir) {
		return &settingError{fmt.Sprintf("directory %q: an absolute path is needed", dir)}
	}
	return os.Chdir(dir)
}

func setNice(n int) error {
	if n == 0 {
		return nil
	}
	if n < -20 || n > 19 {
		return &settingError{fmt.Sprintf("nice %d: it must be between -20 and 19", n)}
	}
	// The priority is a thread's on Linux; a process group means all threads of its processes.
	if err := syscall.Setpriority(syscall.PRIO_PGRP, 0, n); err != nil {
		return fmt.Errorf("nice %d: %w", n, err)
	}
	return nil
}
