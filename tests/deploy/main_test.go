// Package deploy tests that the program comes along: to real sshd and sudo in a private place on this machine, see
// tests/stage, and to a container that holds nothing but busybox, see tests/deploy/busybox. How often the racer tries
// is set by DEPLOY_RACES (100; the full number is 10000); DEPLOY_FULL=1 holds all targets to the whole suite.
package deploy

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Who is who runs a function, and from which file.
type Who struct {
	UID    int
	Exe    string
	Parent string // the program of its parent
}

var (
	whoami = registry.Register("whoami", func() (Who, error) {
		exe, err := os.Readlink("/proc/self/exe")
		parent, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", os.Getppid()))
		return Who{os.Getuid(), exe, parent}, err
	})
	nested = registry.Register("nested", func(ctx context.Context) (Who, error) {
		return whoami.On(delivery.Once{Via: transport.Self{}})()
	})
	prepare = registry.Register("prepare", prepareAs)
	list    = registry.Register("list", filesBelow)
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	st = stage.Enter(stage.Options{Keep: []string{"DEPLOY_*"}})
	if ok, _ := st.Has(stage.Sudo); ok && st.Inside {
		if err := mount("/var/cache", "mode=1777"); err != nil { // the machine's own otherwise
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if !full() {
		_ = flag.Set("test.short", "true") // for the suite, which runs many times
	}
	os.Exit(m.Run())
}

// full is for what takes minutes.
func full() bool { return os.Getenv("DEPLOY_FULL") == "1" }

// mount puts an empty file system over a directory, for this place only.
func mount(dir, options string) error {
	if out, err := exec.Command("sudo", "-n", "mount", "-t", "tmpfs", "-o", options, "stage", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("mount %s: %w: %s", dir, err, out)
	}
	return nil
}

// covered mounts for one test.
func covered(t *testing.T, dir, options string) {
	t.Helper()
	st.NeedSudo(t)
	must(t, mount(dir, options))
	t.Cleanup(func() {
		if out, err := exec.Command("sudo", "-n", "umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

// A target is one way to a far side.
type target struct {
	name     string
	via      transport.Transport
	uid      int
	cache    string
	guardian bool
	need     func(stage.TB)
}

func sshHop(more ...string) transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig, Options: more}
}

func targets() []target {
	home := filepath.Join(st.Home, ".cache/deliveryboy/bin")
	return []target{
		{"self", transport.Self{}, st.UID, home, false, func(stage.TB) {}},
		{"sudo", transport.Sudo{}, 0, "/var/cache/deliveryboy", true, st.NeedSudo},
		{"sudo to another user", transport.Sudo{User: st.Second}, st.SecondUID, filepath.Join(st.SecondHome, ".cache/deliveryboy/bin"), true, st.NeedSudo},
		{"ssh", sshHop(), st.UID, home, false, st.NeedSSH},
		{"ssh then sudo", transport.Chain{sshHop(), transport.Sudo{}}, 0, "/var/cache/deliveryboy", true,
			func(t stage.TB) { st.NeedSSH(t); st.NeedSudo(t) }},
		{"ssh then sudo with a login shell", transport.Chain{sshHop(), transport.Sudo{Login: true}}, 0, "/var/cache/deliveryboy", true,
			func(t stage.TB) { st.NeedSSH(t); st.NeedSudo(t) }},
	}
}

// overAll runs a test over every target, each time with an empty cache.
func overAll(t *testing.T, f func(t *testing.T, tg target)) {
	for _, tg := range targets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			forget(t, tg)
			t.Cleanup(func() { forget(t, tg) })
			f(t, tg)
		})
	}
}

// forget removes what is in the cache.
func forget(t *testing.T, tg target) {
	t.Helper()
	root := delivery.Once{Via: transport.Sudo{}, Program: st.Binary}
	must(t, prepare.On(root)(Setup{Remove: []string{tg.cache}}))
}

// called opens a session, calls whoami, and says what was brought.
func called(t *testing.T, via transport.Transport, o deploy.Options) (Who, deploy.Result) {
	t.Helper()
	o.On = true
	s, err := delivery.Open(t.Context(), via, session.Options{Deploy: o})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	w, err := whoami.On(s)()
	must(t, err)
	return w, s.Deployed()
}

// failed is the error of a session that cannot be opened.
func failed(t *testing.T, via transport.Transport, o deploy.Options) error {
	t.Helper()
	o.On = true
	s, err := delivery.Open(t.Context(), via, session.Options{Deploy: o})
	if err == nil {
		t.Errorf("it was brought to %+v", s.Deployed())
		must(t, s.Close())
	}
	return err
}

func inside(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }
