package process_test

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/process"
)

// As an ordinary user, only what one has anyway can be had; tests/process changes users for real.
func TestGA04User(t *testing.T) {
	for _, c := range []struct {
		field  string
		config process.Config
	}{
		{"user", process.Config{Cmdline: "true", User: "no-such-user"}},
		{"user", process.Config{Cmdline: "true", User: "4294967295"}},
		{"user", process.Config{Cmdline: "true", User: "3999999999"}}, // has no group
		{"group", process.Config{Cmdline: "true", Group: "no-such-group"}},
		{"groups", process.Config{Cmdline: "true", Group: process.ID(strconv.Itoa(os.Getgid())), Groups: []process.ID{"no-such-group"}}},
	} {
		_, err := process.Start(c.config)
		var wrong *process.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != c.field {
			t.Errorf("%+v: %v", c.config, err)
		}
	}
	self := process.ID(strconv.Itoa(os.Getuid()))
	if got := output(t, process.Config{Cmdline: "id -u", User: self}); got != string(self) {
		t.Errorf("%q", got)
	}
	if os.Getuid() != 0 {
		_, err := process.Start(process.Config{Cmdline: "true", User: "root"})
		if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "only root") {
			t.Errorf("%v", err)
		}
		return
	}
	for _, c := range []struct {
		config process.Config
		want   string // uid gid groups
	}{
		{process.Config{User: "nobody"}, "65534 65534 65534"},
		{process.Config{User: "65534"}, "65534 65534 65534"},
		{process.Config{User: "nobody", Group: "daemon"}, "65534 1 1 65534"},
		{process.Config{User: "nobody", Groups: []process.ID{"daemon", "3"}}, "65534 65534 65534 1 3"},
		{process.Config{User: "3999999999", Group: "7"}, "3999999999 7 7"},
		{process.Config{User: "nobody", Umask: "077"}, "65534 65534 65534"}, // the same through the trampoline
		{process.Config{User: "nobody", Groups: []process.ID{"daemon", "3"}, Nice: 1}, "65534 65534 65534 1 3"},
	} {
		c.config.Cmdline = "sh -c 'echo $(id -u) $(id -g) $(id -G)'"
		got := strings.Fields(output(t, c.config))
		if want := strings.Fields(c.want); len(got) < 2 || !slices.Equal(got[:2], want[:2]) || !sameSet(got[2:], want[2:]) {
			t.Errorf("%+v: %q, not %q", c.config, got, c.want)
		}
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

func TestGA08And46Detach(t *testing.T) {
	if _, err := process.New(process.Config{Cmdline: "true", Detach: true}, process.Stdio{Stdout: newText()}); err == nil {
		t.Error("what is copied outlives the one who copies")
	}
	p := prepare(t, process.Config{Cmdline: "sleep 1000", Detach: true})
	start(t, p)
	if err := p.Close(); err != nil || !p.Active() {
		t.Errorf("closed: %v, active: %t", err, p.Active())
	}
	sid, err := syscall.Getpgid(p.PID())
	if err != nil || sid != p.PID() {
		t.Errorf("its group is %d, %v", sid, err)
	}
	if err := p.Kill(within(t)); err != nil {
		t.Error(err)
	}
	if s := wait(t, p); s.Signal != "SIGKILL" {
		t.Errorf("%s", &s)
	}
}

// No descriptor of this process is in a child but those that were given, inherited ones included.
func TestGA51NothingIsInherited(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, umask := range []string{"", "022"} {
		c := sh("ls /proc/self/fd | sort -n | tr '\\n' ' '")
		c.Umask = umask
		if got := output(t, c); got != "0 1 2 3" { // 3 is that of ls
			t.Errorf("umask %q: %q", umask, got)
		}
	}
}

func TestUmaskLimitsNice(t *testing.T) {
	c := sh("umask; ulimit -n; ulimit -Hn; ulimit -c; nice")
	c.Umask, c.Nice = "031", 4
	c.Limits = map[string]process.Limit{"nofile": {Soft: 30, Hard: 40}, "RLIMIT_CORE": {}}
	if got := output(t, c); got != "0031\n30\n40\n0\n4" {
		t.Errorf("%q", got)
	}
	for field, c := range map[string]process.Config{
		"limits.files": {Cmdline: "true", Limits: map[string]process.Limit{"files": {}}},
	} {
		_, err := process.Start(c)
		var wrong *process.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field || !strings.Contains(err.Error(), "nofile") {
			t.Errorf("%v", err)
		}
	}
	if os.Getuid() != 0 {
		_, err := process.Start(process.Config{Cmdline: "true", Limits: map[string]process.Limit{"nofile": {Hard: 1 << 40}}})
		if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "nofile") || !strings.Contains(err.Error(), "only root") {
			t.Errorf("%v", err)
		}
	}
	_, err := process.Start(process.Config{Cmdline: "/does/not/exist", Umask: "022"})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
