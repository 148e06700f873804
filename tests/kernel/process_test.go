//go:build linux

package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// outcome is all that a process said and how it ended.
type outcome struct {
	out   string
	lost  uint64
	code  int
	known bool
}

// result watches a process to its end.
func result(t *testing.T, c *kernel.Client, name string) (o outcome) {
	t.Helper()
	w, err := c.WatchProcesses(limited(t), kernel.WatchOptions{}, name)
	must(t, err)
	for e, err := range w.Events(limited(t)) {
		must(t, err)
		o.out += string(e.Data)
		o.lost += e.Count
		o.code, o.known = e.ExitCode, e.Known
	}
	return o
}

// TestPA43Identity: at root's kernel a process can be another user's, with that one's groups and no other.
func TestPA43Identity(t *testing.T) {
	o := start(t, 0, place(t, 0))
	c := open(t, o)
	passwd, err := exec.Command("id", "-un", strconv.Itoa(st.UID)).Output()
	must(t, err)
	name := strings.TrimSpace(string(passwd))
	want, err := exec.Command("id", name).Output()
	must(t, err)
	for i, spec := range []kernel.ProcessSpec{
		{User: name}, {User: strconv.Itoa(st.UID)}, {User: name, Limits: map[string]uint64{"core": 0}},
	} {
		spec.Args, spec.Env = []string{"id"}, []string{"PATH=/usr/bin:/bin"}
		p, err := c.MakeProcess(limited(t), fmt.Sprintf("p.%d", i), spec)
		must(t, err)
		if got := result(t, c, p.Name); got.out != string(want) || p.UID != st.UID {
			t.Errorf("%+v: %q as uid %d, want %q", spec, got.out, p.UID, want)
		}
	}
	spec := kernel.ProcessSpec{Args: []string{"/usr/bin/id", "-g"}, User: name, Group: "4"}
	_, err = c.MakeProcess(limited(t), "g", spec)
	must(t, err)
	if got := result(t, c, "g"); got.out != "4\n" {
		t.Errorf("gid=4: %q", got.out)
	}
	for _, spec := range []kernel.ProcessSpec{{User: "no-such-user"}, {Group: "no-such-group"}, {User: "-1"}, {User: "4294967295"}} {
		spec.Args = []string{"/usr/bin/id"}
		if _, err := c.MakeProcess(limited(t), "x", spec); err == nil || !strings.Contains(err.Error(), "Unknown") {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	spec = kernel.ProcessSpec{Args: []string{"/bin/pwd"}, User: name, Dir: "/root"} // whose process it is counts, not whose kernel
	if _, err := c.MakeProcess(limited(t), "x", spec); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a directory that is not for that user: %v", err)
	}
}

// TestFault9DiskFull: what cannot be recorded is dropped and counted, processes go on, new ones are refused before they
// start, and when there is room again everything works.
func TestFault9DiskFull(t *testing.T) {
	set := place(t, st.UID)
	must(t, os.Mkdir(set.State, 0o700))
	if err := unix.Mount("tmpfs", set.State, "tmpfs", 0, fmt.Sprintf("size=2m,mode=0700,uid=%d", st.UID)); err != nil {
		t.Skipf("NOT TESTED, no tmpfs can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(set.State, unix.MNT_DETACH) })
	c := open(t, start(t, st.UID, set))
	filler := filepath.Join(set.State, "filler")
	must(t, fill(filler, 1<<20))
	const size = 20 << 20
	script := fmt.Sprintf("head -c %d /dev/zero; read x; echo end; exit 4", size)
	_, err := c.MakeProcess(limited(t), "a", kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", script}, Bufsize: 1 << 30, Stdin: kernel.Pipe})
	must(t, err)
	for p := (kernel.Process{}); p.Kept+int64(p.Dropped) < size; {
		list, err := c.Processes(limited(t), "a")
		must(t, err)
		p = list[0]
		if !p.Running {
			t.Fatalf("%+v: it was to go on", p)
		}
	}
	must(t, fill(filler+".more", 0))
	var refused error
	for i := range 10000 { // the last page of a file has room for some
		if _, refused = c.MakeProcess(limited(t), fmt.Sprintf("b.%d", i), kernel.ProcessSpec{Args: []string{"/bin/true"}}); refused != nil {
			break
		}
	}
	if refused == nil || !strings.Contains(refused.Error(), "no space left") {
		t.Errorf("on a full disk: %v", refused)
	}
	must(t, os.Remove(filler))
	must(t, c.Send(limited(t), "a", []byte("\n")))
	got := result(t, c, "a")
	if len(got.out)+int(got.lost) != size+4 || got.lost == 0 || !strings.HasSuffix(got.out, "end\n") || got.code != 4 {
		t.Errorf("%d bytes and %d lost of %d, code %d", len(got.out), got.lost, size+4, got.code)
	}
	_, err = c.MakeProcess(limited(t), "c", kernel.ProcessSpec{Args: []string{"/bin/echo", "again"}})
	must(t, err)
	if got := result(t, c, "c"); got.out != "again\n" || got.lost != 0 {
		t.Errorf("with room again: %+v", got)
	}
}

// fill writes a file until it has so many bytes; 0: until the disk is full.
func fill(path string, most int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for n := 0; most == 0 || n < most; n += 4096 {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			if most == 0 {
				return nil
			}
			return err
		}
	}
	return nil
}
