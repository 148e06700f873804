package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/transport"
)

// 7: a detached plugin that prints blocks when the pipe to nobody is full. Ours is read by the process itself, and what is
// kept of it has a limit; or it is /dev/null.
func TestTrap7DetachedPrints(t *testing.T) {
	leaks(t)
	for _, limit := range []int64{100 << 10, -1} {
		r := detach(t, self, plugin.StartOptions{Log: limit})
		a, p := attach(t, r, plugin.AttachOptions{})
		ask(t, p, "flood", "") // 8 MiB
		ask(t, p, "complain", "the last line")
		if limit < 0 {
			if r.Log != "" {
				t.Error(r.Log)
			}
			must(t, a.Stop(limited(t)))
			continue
		}
		within(t, "the last line in the log", func() bool {
			text, _ := os.ReadFile(r.Log)
			return bytes.Contains(text, []byte("the last line"))
		})
		var kept int64
		files, err := filepath.Glob(r.Log + "*")
		must(t, err)
		for _, f := range files {
			info, err := os.Stat(f)
			must(t, err)
			kept += info.Size()
		}
		if kept > limit {
			t.Errorf("%d bytes are kept instead of %d", kept, limit)
		}
		must(t, a.Stop(limited(t)))
	}
}

// 8: a detached plugin that writes to the stderr of a starter that is gone dies of SIGPIPE.
func TestTrap8DetachedComplains(t *testing.T) {
	leaks(t)
	for _, limit := range []int64{0, -1} {
		s, err := delivery.Open(limited(t), transport.Self{})
		must(t, err)
		r := detach(t, s, plugin.StartOptions{Log: limit})
		must(t, s.Close())
		a, p := attach(t, r, plugin.AttachOptions{})
		ask(t, p, "print", "out")
		ask(t, p, "complain", "err")
		ask(t, p, "complain", "err again")
		if !alive(r.PID) {
			t.Error("it has ended")
		}
		must(t, a.Stop(limited(t)))
	}
}

// A crash is in the log, for whoever comes to look.
func TestDetachedCrash(t *testing.T) {
	leaks(t)
	r := detach(t, self, plugin.StartOptions{})
	a, p := attach(t, r, plugin.AttachOptions{})
	if _, err := p.Do(limited(t), "panic", "on purpose"); err == nil {
		t.Error("no error")
	}
	<-a.Done()
	must(t, a.Close())
	within(t, "the panic in the log", func() bool {
		text, _ := os.ReadFile(r.Log)
		return bytes.Contains(text, []byte("panic: on purpose"))
	})
	must(t, os.RemoveAll(filepath.Dir(r.Log)))
}

// 9: a process of root's may not be signalled, and is not dead for that. go-plugin looks once a second, so this goes on
// for longer.
func TestTrap9NotPermittedIsNotDead(t *testing.T) {
	leaks(t)
	c, p := sudo(t, plugin.Options{})
	_, pid := who(t, p)
	started, err := plugin.StartOf(pid)
	must(t, err)
	h, err := plugin.Hold(pid, started)
	must(t, err)
	defer h.Close()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.EPERM) {
		t.Fatalf("it may be signalled: %v", err)
	}
	if err := h.Kill(); !errors.Is(err, syscall.EPERM) {
		t.Error(err)
	}
	ask(t, p, "sleep", "1500ms")
	select {
	case <-h.Ended():
		t.Error("it counts as dead")
	default:
	}
	must(t, c.Close())
	select {
	case <-h.Ended():
	case <-time.After(20 * time.Second):
		t.Error("its end was not seen")
	}
}

// 10: a record may be old: its number may be another process's. Who is not who the record says is not trusted, and whoever
// that is lives on.
func TestTrap10RecycledPID(t *testing.T) {
	leaks(t)
	r := detach(t, self, plugin.StartOptions{})
	other := detach(t, self, plugin.StartOptions{})
	decoy := exec.Command("/bin/sleep", "600")
	must(t, decoy.Start())
	defer func() {
		_ = decoy.Process.Kill()
		_ = decoy.Wait()
	}()
	decoyStart, err := plugin.StartOf(decoy.Process.Pid)
	must(t, err)
	for name, change := range map[string]func(*plugin.Record){
		"number of another":            func(r *plugin.Record) { r.PID = decoy.Process.Pid },
		"number and start of another":  func(r *plugin.Record) { r.PID, r.Started = decoy.Process.Pid, decoyStart },
		"another start":                func(r *plugin.Record) { r.Started++ },
		"another boot":                 func(r *plugin.Record) { r.Boot = "00000000-0000-0000-0000-000000000000" },
		"another id":                   func(r *plugin.Record) { r.ID = other.ID },
		"address of another plugin":    func(r *plugin.Record) { r.Address = other.Address },
		"no process has that number":   func(r *plugin.Record) { r.PID = 1 << 22 },
		"number and start of a plugin": func(r *plugin.Record) { r.PID, r.Started = other.PID, other.Started },
	} {
		t.Run(name, func(t *testing.T) {
			wrong := r
			change(&wrong)
			a, err := plugin.Reattach(limited(t), wrong)
			if !errors.Is(err, plugin.ErrGone) {
				t.Errorf("%v %v", a, err)
			}
		})
	}
	for _, pid := range []int{r.PID, other.PID, decoy.Process.Pid} {
		if !alive(pid) {
			t.Errorf("%d was ended", pid)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	suspend(t, r.PID)
	if _, err := plugin.Reattach(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one that is stopped: %v", err)
	}
	must(t, kill(r.PID, syscall.SIGCONT))
	for _, r := range []plugin.Record{r, other} {
		a, p := attach(t, r, plugin.AttachOptions{})
		who(t, p)
		must(t, a.Stop(limited(t)))
	}
}

// A plugin that answers nothing is killed by its owner, who hears of it.
func TestStopStopped(t *testing.T) {
	leaks(t)
	r := detach(t, self, plugin.StartOptions{})
	a, p := attach(t, r, plugin.AttachOptions{Shutdown: 50 * time.Millisecond})
	who(t, p)
	suspend(t, r.PID)
	var took *plugin.StopError
	if err := a.Stop(limited(t)); !errors.As(err, &took) || !took.Gone || took.Err != nil {
		t.Error(err)
	}
	gone(t, r.PID)
	must(t, os.RemoveAll(filepath.Dir(r.Address)))
}

// 12: AutoMTLS costs 20 ms and forbids to reattach. It is not used, not even if the starter is itself a plugin whose host
// wants it.
func TestTrap12NoCertificates(t *testing.T) {
	leaks(t)
	t.Setenv("PLUGIN_CLIENT_CERT", "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
	t.Setenv("PLUGIN_MULTIPLEX_GRPC", "true")
	t.Setenv("PLUGIN_UNIX_SOCKET_GROUP", "nogroup")
	t.Setenv("PLUGIN_PROTOCOL_VERSIONS", "1")
	r := detach(t, delivery.Once{}, plugin.StartOptions{}) // in this process, whose environment the plugin has
	a, p := attach(t, r, plugin.AttachOptions{})
	if ask(t, p, "env", "PLUGIN_CLIENT_CERT") != "" || ask(t, p, "version", "") != "4" {
		t.Error("it has its starter's environment")
	}
	must(t, a.Stop(limited(t)))
	c, p := open(t, transport.Self{}, plugin.Options{})
	if who(t, p); c.Version() != 4 {
		t.Error(c.Version())
	}
}

// Nothing of a detached plugin listens on TCP, and its socket is where only its user comes.
func TestDetachedSocket(t *testing.T) {
	leaks(t)
	r := detach(t, self, plugin.StartOptions{})
	info, err := os.Stat(filepath.Dir(r.Address))
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Error(info.Mode())
	}
	if at := listening(t, r.PID); len(at) != 1 || !strings.HasSuffix(at[0], " "+r.Address) {
		t.Errorf("it listens at %v", at)
	}
	for _, file := range []string{"tcp", "tcp6", "udp", "udp6"} {
		for inode := range sockets(t, r.PID) {
			text, err := os.ReadFile("/proc/net/" + file)
			if err == nil && strings.Contains(string(text), " "+inode+" ") {
				t.Errorf("it has a %s socket", file)
			}
		}
	}
	a, _ := attach(t, r, plugin.AttachOptions{})
	must(t, a.Stop(limited(t)))
}

// sockets are the inodes of a process's sockets.
func sockets(t *testing.T, pid int) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		to, _ := os.Readlink(filepath.Join(dir, e.Name()))
		if inode, ok := strings.CutPrefix(to, "socket:["); ok {
			found[strings.TrimSuffix(inode, "]")] = true
		}
	}
	if len(found) == 0 {
		t.Error("it has no socket at all")
	}
	return found
}
