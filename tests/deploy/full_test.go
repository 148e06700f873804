package deploy

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/transport"
)

// What the caller says before the program's bytes: a nonce, a digest, and how many there are.
const (
	afterNonce  = 33
	afterDigest = afterNonce + 65
	inTheBytes  = afterDigest + 20_000
)

// interrupted is this machine behind a program that does something when so many bytes of the caller's have passed.
func interrupted(t *testing.T, bytes int, command string) transport.Transport {
	t.Helper()
	path := filepath.Join(t.TempDir(), "interrupt")
	script := fmt.Sprintf("#!/bin/sh\n{ dd bs=1 count=%d status=none; { %s; } >/dev/null 2>&1; cat; } | \"$@\"\n", bytes, command)
	must(t, os.WriteFile(path, []byte(script), 0o700)) //nolint:gosec // it is a program
	return transport.Command{Prefix: []string{"/usr/bin/env", path}}
}

// TestTheDiskFillsUp has the disk fill up, run out of inodes and become read-only at each step of the push: nothing half of
// the program has its name, the error tells the place and the reason, nothing is left, and when there is room again, it works.
func TestTheDiskFillsUp(t *testing.T) {
	st.NeedSudo(t)
	const room = "mode=1777,size=96m"
	for name, c := range map[string]struct {
		options string
		at      int
		command string // DIR is the file system
		undo    string
		why     []string // one of these; none if it works nevertheless
	}{
		"full before the directory":      {room, 1, "cat /dev/zero > DIR/filler", "rm DIR/filler", []string{"not enough room"}},
		"full before the file":           {room, afterNonce, "cat /dev/zero > DIR/filler", "rm DIR/filler", []string{"not enough room"}},
		"full when it has been promised": {room, afterDigest + 5, "cat /dev/zero > DIR/filler", "rm DIR/filler", []string{"could not be filled: ", "No space left"}},
		"full in the bytes":              {room, inTheBytes, "cat /dev/zero > DIR/filler", "rm DIR/filler", []string{"could not be filled: ", "No space left"}},
		"no inode for the directory":     {room + ",nr_inodes=1", 1, "", "sudo -n mount -o remount,nr_inodes=100 DIR", []string{"cannot be made or entered", "is not there"}},
		"no inode for the file":          {room + ",nr_inodes=2", 1, "", "sudo -n mount -o remount,nr_inodes=100 DIR", []string{"cannot be written to"}},
		"no inode for the note":          {room + ",nr_inodes=3", 1, "", "true", nil},
		"no inode, begins in the bytes":  {room + ",nr_inodes=100", inTheBytes, "i=0; while touch DIR/f$i; do i=$((i+1)); done", "rm DIR/f*", nil},
		"read-only before the directory": {room, 1, "sudo -n mount -o remount,ro DIR", "sudo -n mount -o remount,rw DIR", []string{"Read-only file system"}},
		"read-only before the file":      {room, afterNonce, "sudo -n mount -o remount,ro DIR", "sudo -n mount -o remount,rw DIR", []string{"Read-only file system"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			covered(t, dir, c.options)
			in := func(command string) string { return strings.ReplaceAll(command, "DIR", dir) }
			if c.command == "" {
				c.command = "true"
			}
			o := deploy.Options{On: true, Cache: dir + "/c"}
			via := interrupted(t, c.at, in(c.command))
			w, err := whoami.On(delivery.Once{Via: via, Deploy: o})()
			var e *deploy.Error
			var d *box.DeliveryError
			switch {
			case c.why == nil && err != nil:
				t.Errorf("%+v", err)
			case c.why == nil && !inside(w.Exe, dir+"/c"):
				t.Errorf("it ran as %+v", w)
			case c.why == nil:
			case !errors.As(err, &e) || !errors.As(err, &d) || d.Fate != box.NotStarted || len(e.Tried) != 1 || e.Tried[0].Dir != dir+"/c" || !hasOne(e.Tried[0].Why, c.why):
				t.Errorf("%v; want one of %q", err, c.why)
			}
			left, err := filesBelow([]string{dir + "/c"})
			if err != nil || c.why != nil && len(left) > 0 {
				t.Errorf("left: %q, %v", left, err)
			}
			if out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", in(c.undo)).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, pushed := range []bool{c.why != nil, false} {
				if w, r := called(t, transport.Self{}, o); r.Pushed != pushed || !inside(w.Exe, dir+"/c") {
					t.Errorf("with room again: %+v, %+v", w, r)
				}
			}
		})
	}
}

func hasOne(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// TestTheDiskFillsUpAndAnotherTakesOver: what did not fit into one place goes to the next, within the same call.
func TestTheDiskFillsUpAndAnotherTakesOver(t *testing.T) {
	st.NeedSudo(t)
	home := filepath.Join(st.Home, ".cache")
	shm := "/dev/shm/deliveryboy-bin-" + strconv.Itoa(st.UID)
	root := delivery.Once{Via: transport.Sudo{}, Program: st.Binary}
	clean := Setup{Remove: []string{home, shm}}
	must(t, prepare.On(root)(clean))
	t.Cleanup(func() { must(t, prepare.On(root)(clean)) })
	must(t, os.MkdirAll(home, 0o700))
	covered(t, home, "mode=1777,size=96m")
	via := interrupted(t, inTheBytes, "cat /dev/zero > "+home+"/filler")
	w, r := called(t, via, deploy.Options{})
	if !r.Pushed || !inside(w.Exe, shm) {
		t.Errorf("%+v, %+v", w, r)
	}
	left, err := filesBelow([]string{home})
	if err != nil || len(left) != 1 { // the filler
		t.Errorf("left: %q, %v", left, err)
	}
}
