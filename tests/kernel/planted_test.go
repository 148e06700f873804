//go:build linux

package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// shared is a directory such as /tmp: everyone may make files in it, and nobody may take away another's.
func shared(t *testing.T) string {
	t.Helper()
	set := place(t, 0)
	dir := filepath.Join(filepath.Dir(set.State), "s")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chmod(dir, 0o777|os.ModeSticky))
	return dir
}

// kinds are what somebody puts where a kernel is to make a file, and may change later.
var kinds = map[string]func(path, victim string) error{
	"file":     func(path, _ string) error { return os.WriteFile(path, nil, 0o666) },
	"pipe":     func(path, _ string) error { return unix.Mkfifo(path, 0o666) },
	"dir":      func(path, _ string) error { return os.Mkdir(path, 0o777) },
	"link":     func(path, victim string) error { return os.Symlink(victim, path) },
	"nowhere":  func(path, victim string) error { return os.Symlink(victim+".none", path) },
	"hardlink": func(path, victim string) error { return os.Link(victim, path) },
}

// TestT53Planted: what another user has put where a kernel makes its files keeps the kernel from starting, with an error that
// says what it is. It is neither waited for, written to, nor taken for the kernel's own.
func TestT53Planted(t *testing.T) {
	for _, suffix := range []string{"k.sock", "k.sock.lock", "k.sock.start", "k.state", "pid", "log"} {
		for kind, plant := range kinds {
			t.Run(suffix+" "+kind, func(t *testing.T) {
				dir := shared(t)
				path, victim := filepath.Join(dir, suffix), filepath.Join(dir, "victim")
				must(t, os.WriteFile(victim, []byte("old"), 0o600))
				if kind == "hardlink" && suffix == "k.state" {
					must(t, os.Remove(victim))
					must(t, os.Mkdir(victim, 0o777))
					kind, plant = "link to a directory", kinds["link"]
				}
				must(t, os.Chown(victim, st.SecondUID, st.SecondUID))
				must(t, plant(path, victim))
				must(t, os.Lchown(path, st.SecondUID, st.SecondUID))
				if kind == "file" || kind == "pipe" || kind == "dir" || kind == "hardlink" {
					must(t, os.Chmod(path, 0o777)) // so that it could be used
				}
				set := kernel.Settings{Socket: filepath.Join(dir, "k.sock"), State: filepath.Join(dir, "k.state"), PIDFile: filepath.Join(dir, "pid"), Log: filepath.Join(dir, "log")}
				said := tell(st.UID, "start", order{Settings: set})
				if said == "" || !strings.Contains(said, path) || strings.Contains(said, kernel.ErrRunning.Error()) || strings.Contains(said, "not ready") {
					t.Errorf("it says %q", said)
				}
				for begin := time.Now(); len(kernels(t, set.Socket)) > 0; time.Sleep(time.Millisecond) { // it ends when it has said why
					if time.Since(begin) > time.Minute {
						t.Errorf("there is %+v", kernels(t, set.Socket))
						stop(t, set)
					}
				}
				if _, err := os.Lstat(victim + ".none"); err == nil {
					t.Error("what a link leads to was made")
				}
				if text, err := os.ReadFile(victim); err == nil && string(text) != "old" {
					t.Errorf("another's file has %q", text)
				}
				if list, _ := os.ReadDir(victim); len(list) > 0 {
					t.Errorf("another's directory has %v", list)
				}
			})
		}
	}
}

// TestT49AnothersWay: neither socket nor state can be below a directory of another user's, who could replace it, and nothing
// is left there; root's kernel least of all.
func TestT49AnothersWay(t *testing.T) {
	for _, uid := range []int{0, st.UID} {
		dir := filepath.Dir(place(t, 0).State)
		theirs, ours := filepath.Join(dir, "theirs"), filepath.Join(dir, "ours")
		must(t, os.Mkdir(theirs, 0o700))
		must(t, os.Chmod(theirs, 0o777))
		must(t, os.Chown(theirs, st.SecondUID, st.SecondUID))
		must(t, os.Mkdir(ours, 0o700))
		must(t, os.Chown(ours, uid, uid))
		must(t, os.Symlink(theirs, filepath.Join(ours, "link")))
		must(t, os.Lchown(filepath.Join(ours, "link"), uid, uid))
		good := kernel.Settings{Socket: filepath.Join(ours, "k.sock"), State: filepath.Join(ours, "state")}
		for what, change := range map[string]func(*kernel.Settings){
			"socket":              func(s *kernel.Settings) { s.Socket = filepath.Join(theirs, "r", "k.sock") },
			"socket after a link": func(s *kernel.Settings) { s.Socket = filepath.Join(ours, "link", "r", "k.sock") },
			"state":               func(s *kernel.Settings) { s.State = filepath.Join(theirs, "a", "b") },
			"state after a link":  func(s *kernel.Settings) { s.State = filepath.Join(ours, "link", "a", "b") },
			"pidfile":             func(s *kernel.Settings) { s.PIDFile = filepath.Join(theirs, "pid") },
			"log":                 func(s *kernel.Settings) { s.Log = filepath.Join(theirs, "log") },
		} {
			set := good
			set.Socket = filepath.Join(ours, strings.ReplaceAll(what, " ", "-")+".sock") // none of before is ending there
			change(&set)
			if said := tell(uid, "start", order{Settings: set}); !strings.Contains(said, fmt.Sprintf("belongs to uid %d", st.SecondUID)) {
				t.Errorf("%s as uid %d: it says %q", what, uid, said)
			}
			stop(t, set)
			if list, err := os.ReadDir(theirs); err != nil || len(list) > 0 {
				t.Errorf("%s as uid %d: in another's directory there is %v, %v", what, uid, list, err)
			}
		}
		if said := tell(uid, "start", order{Settings: good}); said != "" {
			t.Errorf("as uid %d, without any of it: %q", uid, said)
		}
		stop(t, good)
	}
}

// TestOthersEnvironment: a kernel after su or sudo, with variables of who called it, is in its own user's places, and leaves
// nothing in theirs. One who comes for the first time has no places yet.
func TestOthersEnvironment(t *testing.T) {
	dir := filepath.Dir(place(t, 0).State)
	theirs, mine := filepath.Join(dir, "theirs"), filepath.Join(dir, "mine")
	for path, uid := range map[string]int{theirs: st.SecondUID, mine: st.UID} {
		must(t, os.Mkdir(path, 0o700))
		must(t, os.Chmod(path, 0o777)) // so that the modes do not save it
		must(t, os.Chown(path, uid, uid))
	}
	must(t, os.Chmod(mine, 0o700))
	ask := func(uid int, env ...string) string {
		cmd := copyAs(uid, "ask", order{Options: kernel.Options{Start: true}, Words: []string{"status"}})
		cmd.Env = append(append(cmd.Env, "XDG_STATE_HOME="), env...)
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	socket := filepath.Join(mine, ".local/state/deliveryboy/kernel.sock")
	t.Cleanup(func() { stop(t, kernel.Settings{Socket: socket}) })
	if said := ask(st.UID, "HOME="+mine, "XDG_RUNTIME_DIR="+theirs); !strings.Contains(said, "socket="+socket+"\n") {
		t.Errorf("with another's XDG_RUNTIME_DIR: %q", said)
	}
	if said := ask(st.UID, "HOME="+theirs, "XDG_RUNTIME_DIR="); !strings.Contains(said, fmt.Sprintf("belongs to uid %d", st.SecondUID)) {
		t.Errorf("with another's HOME: %q", said)
	}
	const roots = "/run/deliveryboy/kernel.sock" // of this stage
	t.Cleanup(func() { stop(t, kernel.Settings{Socket: roots}) })
	if said := ask(0, "HOME="+theirs, "XDG_RUNTIME_DIR="+theirs); !strings.Contains(said, "socket="+roots+"\n") {
		t.Errorf("root, with another's environment: %q", said)
	}
	if list, err := os.ReadDir(theirs); err != nil || len(list) > 0 {
		t.Errorf("in another's places there is %v, %v", list, err)
	}
}

// TestStarterIsStopped: somebody who starts a kernel and has been stopped does not keep others waiting for ever, nor silent.
func TestStarterIsStopped(t *testing.T) {
	set := place(t, st.UID)
	dir := filepath.Dir(set.Socket)
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chown(dir, st.UID, st.UID))
	lock, err := os.OpenFile(set.Socket+".start", os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	defer lock.Close()
	must(t, lock.Chown(st.UID, st.UID))
	must(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	o := order{Options: kernel.Options{Socket: set.Socket, Start: true, Settings: kernel.Settings{State: set.State}, Timeout: 1e9}, Words: []string{"status"}}
	if said := tell(st.UID, "ask", o); !strings.Contains(said, "somebody else is starting it") {
		t.Errorf("it says %q", said)
	}
}
