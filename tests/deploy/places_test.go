package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

func TestTheFirstCallBringsItAndTheSecondFindsIt(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		for _, pushed := range []bool{true, false, false} {
			w, r := called(t, tg.via, deploy.Options{})
			if r.Pushed != pushed || (r.Sent > 0) != pushed || r.Build != build.ID() {
				t.Errorf("%+v", r)
			}
			if w.UID != tg.uid || w.Exe != r.Path || !inside(w.Exe, tg.cache) {
				t.Errorf("%+v, brought to %+v", w, r)
			}
			if (w.Parent == w.Exe) != tg.guardian {
				t.Errorf("the parent is %q", w.Parent)
			}
		}
		for range 2 {
			if w, err := whoami.On(delivery.Once{Via: tg.via, Deploy: deploy.Options{On: true}})(); err != nil || w.UID != tg.uid {
				t.Errorf("once: %+v, %v", w, err)
			}
		}
		if w, err := nested.On(delivery.Once{Via: tg.via, Deploy: deploy.Options{On: true}, Only: []string{"nested", "whoami"}})(t.Context()); err != nil || !inside(w.Exe, tg.cache) {
			t.Errorf("a copy of the copy: %+v, %v", w, err)
		}
	})
}

func TestNothingIsKept(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		places := []string{tg.cache, "/dev/shm", "/tmp", "/var/tmp"}
		root := delivery.Once{Via: transport.Sudo{}, Program: st.Binary}
		before, err := list.On(root)(places)
		must(t, err)
		s, err := delivery.Open(t.Context(), tg.via, session.Options{Deploy: deploy.Options{On: true, KeepNothing: true}})
		must(t, err)
		w, err := whoami.On(s)()
		must(t, err)
		after, err := list.On(root)(places) // while it runs
		must(t, err)
		if n, err := nested.On(s)(t.Context()); err != nil || n.UID != tg.uid {
			t.Errorf("a copy of the copy: %+v, %v", n, err)
		}
		must(t, s.Close())
		if !strings.HasSuffix(w.Exe, " (deleted)") || w.UID != tg.uid || (w.Parent == w.Exe) != tg.guardian || s.Deployed().Path != "" {
			t.Errorf("%+v, %+v", w, s.Deployed())
		}
		if left := slices.DeleteFunc(after, func(f string) bool {
			return slices.Contains(before, f) || strings.Contains(f, "deliveryboy-"+filepath.Base(st.Home))
		}); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	})
}

func TestACacheOfOnesOwn(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "a dir/of 'mine'")
	for _, pushed := range []bool{true, false} {
		w, r := called(t, transport.Self{}, deploy.Options{Cache: cache})
		if r.Pushed != pushed || !inside(w.Exe, cache) {
			t.Errorf("%+v %+v", w, r)
		}
	}
}

func TestPlacesThatCannotBeUsedArePassed(t *testing.T) {
	st.NeedSudo(t)
	home := filepath.Join(st.Home, ".cache")
	uid := st.UID
	for name, c := range map[string]struct {
		cover string // the options of a file system over the cache directory
		setup Setup
		want  string // in the path of the program then
	}{
		"noexec":             {cover: "mode=1777,noexec", want: "/dev/shm/"},
		"read-only":          {cover: "mode=1777,ro", want: "/dev/shm/"},
		"full":               {cover: "mode=1777,size=1m", want: "/dev/shm/"},
		"of somebody else":   {setup: Setup{Dirs: []Entry{{home, "", 0o755, uid}, {home + "/deliveryboy", "", 0o755, uid}, {home + "/deliveryboy/bin", "", 0o700, st.SecondUID}}}, want: "/dev/shm/"},
		"open to others":     {setup: Setup{Dirs: []Entry{{home, "", 0o755, uid}, {home + "/deliveryboy", "", 0o755, uid}, {home + "/deliveryboy/bin", "", 0o777, uid}}}, want: "/dev/shm/"},
		"a link":             {setup: Setup{Dirs: []Entry{{home, "", 0o755, uid}, {home + "/deliveryboy", "", 0o755, uid}, {home + "/elsewhere", "", 0o700, uid}}, Links: []Entry{{home + "/deliveryboy/bin", home + "/elsewhere", 0, uid}}}, want: "/dev/shm/"},
		"a file":             {setup: Setup{Dirs: []Entry{{home, "", 0o755, uid}, {home + "/deliveryboy", "", 0o755, uid}}, Files: []Entry{{home + "/deliveryboy/bin", "", 0o600, uid}}}, want: "/dev/shm/"},
		"a parent of root's": {setup: Setup{Dirs: []Entry{{home, "", 0o755, 0}}}, want: "/dev/shm/"},
	} {
		t.Run(name, func(t *testing.T) {
			root := delivery.Once{Via: transport.Sudo{}, Program: st.Binary}
			clean := Setup{Remove: []string{home, "/dev/shm/deliveryboy-bin-" + strconv.Itoa(uid)}}
			must(t, prepare.On(root)(clean))
			t.Cleanup(func() { must(t, prepare.On(root)(clean)) })
			if c.cover != "" {
				must(t, os.MkdirAll(home, 0o700))
				covered(t, home, c.cover)
			}
			must(t, prepare.On(root)(c.setup))
			for _, pushed := range []bool{true, false} {
				w, r := called(t, transport.Self{}, deploy.Options{})
				if r.Pushed != pushed || !strings.HasPrefix(w.Exe, c.want) {
					t.Errorf("%+v %+v", w, r)
				}
			}
			left, err := list.On(root)([]string{home})
			must(t, err)
			for _, f := range left {
				if f != home+"/deliveryboy/bin" {
					t.Errorf("left: %q", left)
				}
			}
		})
	}
}

// TestRootInAnotherUsersHome: root makes nothing where links of the home of another user lead. Its own home it uses.
func TestRootInAnotherUsersHome(t *testing.T) {
	st.NeedSudo(t)
	top := t.TempDir()
	must(t, os.Chmod(top, 0o755))
	theirs, own, trap := filepath.Join(top, "theirs"), filepath.Join(top, "own"), filepath.Join(top, "trap")
	root := delivery.Once{Via: transport.Sudo{}, Program: st.Binary}
	clean := Setup{Remove: []string{top, "/dev/shm/deliveryboy-bin-0"}}
	t.Cleanup(func() { must(t, prepare.On(root)(clean)) })
	must(t, prepare.On(root)(Setup{
		Remove: []string{"/dev/shm/deliveryboy-bin-0"},
		Dirs:   []Entry{{theirs, "", 0o755, st.UID}, {own, "", 0o700, 0}, {trap, "", 0o755, 0}},
		Links:  []Entry{{theirs + "/.cache", trap, 0, st.UID}, {theirs + "/xdg", trap, 0, st.UID}},
	}))
	covered(t, "/var/cache", "mode=0755,noexec") // root's place
	for _, c := range []struct{ home, xdg, want string }{
		{theirs, "", "/dev/shm/deliveryboy-bin-0/"},
		{own, theirs, "/dev/shm/deliveryboy-bin-0/"},
		{own, "", own + "/.cache/deliveryboy/bin/"},
		{theirs, own, own + "/deliveryboy/bin/"},
	} {
		must(t, prepare.On(root)(Setup{Remove: []string{"/dev/shm/deliveryboy-bin-0"}}))
		env := transport.Command{Prefix: []string{"/usr/bin/env", "-u", "XDG_RUNTIME_DIR", "HOME=" + c.home, "XDG_CACHE_HOME=" + c.xdg}}
		w, r := called(t, transport.Chain{transport.Sudo{}, env}, deploy.Options{})
		if w.UID != 0 || !r.Pushed || !strings.HasPrefix(w.Exe, c.want) {
			t.Errorf("HOME %q, XDG_CACHE_HOME %q: %+v, %+v; want it in %s", c.home, c.xdg, w, r, c.want)
		}
	}
	if left, err := list.On(root)([]string{trap, theirs}); err != nil || len(left) != 2 { // the links
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestHostileNamesInSharedPlaces(t *testing.T) {
	st.NeedSudo(t)
	home := filepath.Join(st.Home, ".cache")
	root := delivery.Once{Via: transport.Sudo{}, Program: st.Binary}
	shm, tmp := "/dev/shm/deliveryboy-bin-"+strconv.Itoa(st.UID), "/tmp/deliveryboy-bin-"+strconv.Itoa(st.UID)
	clean := Setup{Remove: []string{home, shm, tmp}}
	must(t, prepare.On(root)(clean))
	t.Cleanup(func() { must(t, prepare.On(root)(clean)) })
	must(t, prepare.On(root)(Setup{
		Dirs:  []Entry{{home, "", 0o755, 0}, {shm, "", 0o777, st.SecondUID}},
		Links: []Entry{{tmp, st.Home + "/.ssh", 0, st.SecondUID}},
	}))
	w, r := called(t, transport.Self{}, deploy.Options{})
	if !r.Pushed || r.Path != "" || !strings.HasSuffix(w.Exe, "(deleted)") || !strings.HasPrefix(w.Exe, "/dev/shm/deliveryboy-") {
		t.Errorf("%+v %+v", w, r)
	}
}

func TestNoPlaceAtAll(t *testing.T) {
	st.NeedSudo(t)
	var e *deploy.Error
	for name, c := range map[string]struct{ options, why string }{
		"read-only": {"mode=1777,ro", "Read-only file system"},
		"noexec":    {"mode=1777,noexec", "noexec"},
		"full":      {"mode=1777,size=1m", "not enough room"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			covered(t, dir, c.options)
			err := failed(t, transport.Self{}, deploy.Options{Cache: dir + "/c"})
			if !errors.As(err, &e) || e.Need == 0 || len(e.Tried) != 1 || e.Tried[0].Dir != dir+"/c" || !strings.Contains(e.Tried[0].Why, c.why) {
				t.Errorf("%v", err)
			}
			if name == "full" && (e.Tried[0].Free <= 0 || e.Tried[0].Free > 1<<20) {
				t.Errorf("%+v", e.Tried)
			}
			var d *box.DeliveryError
			if !errors.As(err, &d) || d.Fate != box.NotStarted || !strings.Contains(err.Error(), dir) {
				t.Errorf("%v", err)
			}
			if left, err := filesBelow([]string{dir}); err != nil || len(left) > 0 {
				t.Errorf("left: %q %v", left, err)
			}
		})
	}
}

// echoed is a function whose argument a far side must not get too early.
var echoed = registry.Register("echoed", func(text string) (string, error) { return text, nil })

// TestNothingLeavesBefore: a far side that takes the program, and does not become it, gets nothing of the call.
func TestNothingLeavesBefore(t *testing.T) {
	dir := t.TempDir()
	record, shell := filepath.Join(dir, "stdin"), filepath.Join(dir, "shell")
	must(t, os.WriteFile(shell, fmt.Appendf(nil, "#!/bin/sh\ntee %s | \"$@\"\n", record), 0o700))
	canary := strings.Repeat("canary-argument-", 1<<10)
	once := delivery.Once{Via: transport.Command{Prefix: []string{"/usr/bin/env", shell}}, Deploy: deploy.Options{On: true, Cache: "/proc/none"}}
	var e *deploy.Error
	if text, err := echoed.On(once)(canary); !errors.As(err, &e) {
		t.Errorf("%.40q, %v", text, err)
	}
	sent, err := os.ReadFile(record)
	if err != nil || len(sent) == 0 || len(sent) > 1<<10 {
		t.Errorf("%d bytes left this side: %.200q, %v", len(sent), sent, err)
	}
	once.Deploy.Cache = filepath.Join(dir, "cache")
	for _, most := range []int{64 << 20, 40 << 10} {
		if text, err := echoed.On(once)(canary); text != canary || err != nil {
			t.Errorf("%.40q, %v", text, err)
		}
		sent, err := os.ReadFile(record)
		if err != nil || len(sent) > most || !bytes.Contains(sent, []byte("canary")) {
			t.Errorf("%d bytes left this side, %v", len(sent), err)
		}
	}
}
