package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// What go-plugin is known to do wrong, or to leave to its host, under sudo. Each has its way to go wrong here as well.

// sudo opens the probe as root.
func sudo(t *testing.T, o plugin.Options) (*plugin.Client, probe) {
	t.Helper()
	st.NeedSudo(t)
	return openRough(t, transport.Sudo{}, o)
}

// workers lists the processes that are workers or guardians.
func workers(t *testing.T) (found []string) {
	t.Helper()
	all, err := st.Root.Processes()
	must(t, err)
	for _, p := range all {
		if len(p.Argv) > 1 && strings.Contains(strings.Join(p.Argv, " "), "__deliver") {
			found = append(found, fmt.Sprint(p))
		}
	}
	return found
}

// noWorkers waits until none is left.
func noWorkers(t *testing.T) {
	t.Helper()
	within(t, "the end of all workers", func() bool { return len(workers(t)) == 0 })
}

// 1: a blocking read of stdin holds a processor for up to 10 ms. A worker waits in the runtime's poller instead.
func TestTrap1BlockingStdin(t *testing.T) {
	leaks(t)
	c, p := sudo(t, plugin.Options{})
	defer c.Close()
	who(t, p)
	dump, err := c.Session().Dump(limited(t))
	must(t, err)
	waits := false
	for g := range strings.SplitSeq(dump, "\n\n") {
		state, _, _ := strings.Cut(g, "\n")
		if strings.Contains(state, "[syscall") && strings.Contains(g, "ead(") && !strings.Contains(g, "os/signal") {
			t.Errorf("a read holds a thread:\n%s", g)
		}
		waits = waits || strings.Contains(state, "[IO wait") && strings.Contains(g, "channel/wire")
	}
	if !waits {
		t.Errorf("nobody waits in the poller for what comes:\n%s", dump)
	}
}

// 2: sudo drops the cookie and all that go-plugin says in the environment. It travels as arguments.
func TestTrap2Environment(t *testing.T) {
	leaks(t)
	c, p := sudo(t, plugin.Options{})
	defer c.Close()
	for _, name := range []string{probeHandshake.MagicCookieKey, "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR", "PLUGIN_MIN_PORT"} {
		if value := ask(t, p, "env", name); value != "" {
			t.Errorf("%s=%s", name, value)
		}
	}
}

// 3: root's socket cannot be dialled, and the client that fails leaves a root process for ever. There is no socket, and
// what fails leaves nothing: another cookie, another version, a context that is over.
func TestTrap3Orphan(t *testing.T) {
	st.NeedSudo(t)
	leaks(t)
	before := listening(t)
	c, p := sudo(t, plugin.Options{})
	who(t, p)
	if now := listening(t); now != before {
		t.Errorf("sockets:\n%s\nbefore:\n%s", now, before)
	}
	must(t, c.Close())

	cookie := probeHandshake
	cookie.MagicCookieValue = "another"
	for want, expect := range map[string]plugin.Set{
		"magic cookie PROBE_PLUGIN":     {Handshake: cookie, Plugins: setOf(1)},
		"incompatible API version with": {Handshake: probeHandshake, Versions: map[int]goplugin.PluginSet{3: setOf(3)}, Plugins: nil},
	} {
		_, err := plugin.Open(limited(t), transport.Sudo{}, "probe", plugin.Options{Expect: expect})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v instead of %q", err, want)
		}
		noWorkers(t)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := plugin.Open(ctx, transport.Sudo{}, "probe"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	noWorkers(t)
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "plugin-dir*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// listening is how many unix sockets have a path, and every TCP socket that listens.
func listening(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/net/unix")
	must(t, err)
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 8 && f[3] == "00010000" { // accepts connections
			b.WriteString(f[7] + "\n")
		}
	}
	return b.String()
}

// 4: go-plugin's Kill waits for its Shutdown without a limit; a worker that is stopped, or hangs, answers nothing.
func TestTrap4KillIsBounded(t *testing.T) {
	for name, state := range map[string]func(t *testing.T, p probe, pid int){
		"stopped": func(t *testing.T, _ probe, pid int) { must(t, kill(pid, syscall.SIGSTOP)) },
		"busy":    func(_ *testing.T, p probe, _ int) { go func() { _, _ = p.Do(context.Background(), "hang", "") }() },
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			c, p := sudo(t, plugin.Options{Shutdown: 50 * time.Millisecond})
			_, pid := who(t, p)
			state(t, p, pid)
			c.GoPlugin().Kill()
			gone(t, pid)
			_ = c.Close()
		})
	}
}

// 5: SIGKILL to sudo leaves root's process alive, and nobody may end it. Nobody sends it: what is stopped is ended by its
// guardian, and Close says what it took.
func TestTrap5NoKillOfSudo(t *testing.T) {
	leaks(t)
	c, p := sudo(t, plugin.Options{Shutdown: 50 * time.Millisecond})
	_, pid := who(t, p)
	must(t, kill(pid, syscall.SIGSTOP))
	err := c.Close()
	var took *session.CloseError
	if errors.As(err, &took) && (!took.Gone || strings.Contains(err.Error(), "SIGKILL")) {
		t.Error(err)
	}
	noWorkers(t)
}

// 6: a line on stdout before go-plugin's own breaks it, and one that looks like it misleads it.
func TestTrap6Banner(t *testing.T) {
	leaks(t)
	st.NeedSudo(t)
	banner := transport.Command{Prefix: []string{"/bin/sh", "-c", `echo "welcome"; echo "1|1|unix|/tmp/not-this|grpc|"; exec "$@"`, "sh"}}
	c, p := openRough(t, transport.Chain{banner, transport.Sudo{}}, plugin.Options{})
	if uid, _ := who(t, p); uid != 0 {
		t.Error(uid)
	}
	must(t, c.Close())
}

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
	must(t, kill(r.PID, syscall.SIGSTOP))
	if _, err := plugin.Reattach(ctx, r); err == nil {
		t.Error("one that is stopped said who it is")
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
	must(t, kill(r.PID, syscall.SIGSTOP))
	var took *plugin.StopError
	if err := a.Stop(limited(t)); !errors.As(err, &took) || !took.Gone || took.Err != nil {
		t.Error(err)
	}
	gone(t, r.PID)
	must(t, os.RemoveAll(filepath.Dir(r.Address)))
}

// 11: go-plugin's SecureConfig would check sudo. The worker says itself which build it is, before anything is served.
func TestTrap11AnotherBinary(t *testing.T) {
	leaks(t)
	content, err := os.ReadFile(st.Binary)
	must(t, err)
	id := []byte(build.ID())
	program := filepath.Join(t.TempDir(), "other")
	must(t, os.WriteFile(program, bytes.Replace(content, id, bytes.Repeat([]byte("x"), len(id)), 1), 0o755))
	var skew *box.VersionSkewError
	if _, err := plugin.Open(limited(t), transport.Self{}, "probe", plugin.Options{Session: session.Options{Program: program}}); !errors.As(err, &skew) {
		t.Error(err)
	}
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

// rpcPlugin speaks net/rpc.
type rpcPlugin struct{}

func (rpcPlugin) Server(*goplugin.MuxBroker) (any, error)              { return nil, nil }
func (rpcPlugin) Client(*goplugin.MuxBroker, *rpc.Client) (any, error) { return nil, nil }

// 13: errors of net/rpc are strings, and no call can be cancelled. Such plugins are refused; those of gRPC have both.
func TestTrap13NetRPC(t *testing.T) {
	leaks(t)
	func() {
		defer func() {
			if why := fmt.Sprint(recover()); !strings.Contains(why, "net/rpc is not supported") {
				t.Error(why)
			}
		}()
		plugin.Provide("rpc", plugin.Set{Handshake: probeHandshake, Plugins: goplugin.PluginSet{"x": rpcPlugin{}}})
	}()
	c, p := sudo(t, plugin.Options{})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Do(ctx, "hang", ""); status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
	who(t, p)
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
