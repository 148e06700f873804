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

// remount makes a file system read-only, or writable.
func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|flags, ""))
}

// TestServerDiesOnAReadOnlyDisk: another one comes up and tells all that there is; what has to be written is refused, with the
// reason, until the disk can be written to again. Then all is as it was, without a restart.
func TestServerDiesOnAReadOnlyDisk(t *testing.T) {
	set := place(t, st.UID)
	must(t, os.Mkdir(set.State, 0o700))
	if err := unix.Mount("tmpfs", set.State, "tmpfs", 0, fmt.Sprintf("size=4m,mode=0700,uid=%d", st.UID)); err != nil {
		t.Skipf("NOT TESTED, no tmpfs can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(set.State, unix.MNT_DETACH) })
	set.Log = filepath.Join(filepath.Dir(set.State), "log") // what is open for writing keeps a disk writable
	must(t, os.WriteFile(set.Log, nil, 0o600))
	must(t, os.Chown(set.Log, st.UID, st.UID))
	o := start(t, st.UID, set)
	c := open(t, o)
	must(t, c.Set(limited(t), "v", "kept"))
	_, err := c.MakeProcess(limited(t), "a", kernel.ProcessSpec{
		Args: []string{"/bin/sh", "-c", "echo one; read x; echo two; read x; echo three; exit 3"}, Stdin: kernel.Pipe,
	})
	must(t, err)
	for p := (kernel.Process{}); p.Kept == 0; {
		list, err := c.Processes(limited(t), "a")
		must(t, err)
		p = list[0]
	}
	holder, server := roles(t, set.Socket)
	must(t, syscall.Kill(holder, syscall.SIGSTOP))
	must(t, syscall.Kill(server, syscall.SIGKILL))
	for begin := time.Now(); ; time.Sleep(time.Millisecond) { // its files are closed when it is dead
		if err := unix.Mount("", set.State, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err == nil {
			break
		} else if time.Since(begin) > time.Minute {
			t.Fatal(err)
		}
	}
	must(t, syscall.Kill(holder, syscall.SIGCONT))
	c = open(t, o)
	if v, err := c.Get(limited(t), "v"); v != "kept" || err != nil {
		t.Errorf("the value is %q, %v", v, err)
	}
	for what, err := range map[string]error{
		"set":    c.Set(limited(t), "v", "new"),
		"remove": c.RemoveValues(limited(t), "v"),
		"make": func() error {
			_, err := c.MakeProcess(limited(t), "b", kernel.ProcessSpec{Args: []string{"/bin/true"}})
			return err
		}(),
	} {
		if err == nil || !strings.Contains(err.Error(), "read-only file system") {
			t.Errorf("%s on a read-only disk: %v", what, err)
		}
	}
	if list, err := c.Processes(limited(t)); err != nil || len(list) != 1 || !list[0].Running || list[0].Kept != 4 {
		t.Errorf("%+v, %v", list, err)
	}
	must(t, c.Send(limited(t), "a", []byte("\n"))) // what comes now cannot be recorded, and is counted
	for p := (kernel.Process{}); p.Dropped == 0; {
		list, err := c.Processes(limited(t), "a")
		must(t, err)
		p = list[0]
	}
	remount(t, set.State, 0)
	must(t, c.Set(limited(t), "v", "new"))
	must(t, c.Send(limited(t), "a", []byte("\n")))
	if got := result(t, c, "a"); got.out != "one\nthree\n" || got.lost != 4 || got.code != 3 {
		t.Errorf("%+v", got)
	}
	_, server = roles(t, set.Socket)
	c = another(t, o, server)
	if v, err := c.Get(limited(t), "v"); v != "new" || err != nil {
		t.Errorf("afterwards the value is %q, %v", v, err)
	}
}

// TestFullDiskFromTheStart: a kernel comes up on a full disk, with no values or with the end of a journal that a kill has
// left, and takes values when there is room.
func TestFullDiskFromTheStart(t *testing.T) {
	for _, journal := range []string{"", "deliveryboy val", "deliveryboy values 1\n\xd5vr1torn"} {
		t.Run(fmt.Sprintf("%q", journal), func(t *testing.T) {
			set := place(t, st.UID)
			must(t, os.Mkdir(set.State, 0o700))
			if err := unix.Mount("tmpfs", set.State, "tmpfs", 0, fmt.Sprintf("size=1m,mode=0700,uid=%d", st.UID)); err != nil {
				t.Skipf("NOT TESTED, no tmpfs can be mounted: %v", err)
			}
			t.Cleanup(func() { _ = unix.Unmount(set.State, unix.MNT_DETACH) })
			for name, mode := range map[string]os.FileMode{"processes": os.ModeDir | 0o700, "values": 0o600} {
				path := filepath.Join(set.State, name)
				if mode.IsDir() {
					must(t, os.Mkdir(path, mode.Perm()))
				} else if journal != "" {
					must(t, os.WriteFile(path, []byte(journal), mode))
				}
				_ = os.Chown(path, st.UID, st.UID)
			}
			set.Log = filepath.Join(filepath.Dir(set.State), "log")
			must(t, os.WriteFile(set.Log, nil, 0o600))
			must(t, os.Chown(set.Log, st.UID, st.UID))
			filler := filepath.Join(set.State, "filler")
			must(t, fill(filler, 0))
			c := open(t, start(t, st.UID, set))
			if err := c.Set(limited(t), "v", strings.Repeat("x", 8192)); err == nil || !strings.Contains(err.Error(), "no space left") {
				t.Errorf("on a full disk: %v", err)
			}
			must(t, os.Remove(filler))
			must(t, c.Set(limited(t), "v", "1"))
			if v, err := c.Get(limited(t), "v"); v != "1" || err != nil {
				t.Errorf("%q, %v", v, err)
			}
		})
	}
}
