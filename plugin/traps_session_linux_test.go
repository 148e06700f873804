package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seed354a1416/deliveryboy/box"
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

// 1: a blocking read of stdin holds a processor for up to 10 ms. A worker waits in the runtime's poller instead.
func TestTrap1BlockingStdin(t *testing.T) {
	leaks(t)
	c, p := sudo(t, plugin.Options{})
	defer c.Close()
	who(t, p)
	var dump string
	waits := false
	for range 50 { // the one who waits may just have got something
		var err error
		dump, err = c.Session().Dump(limited(t))
		must(t, err)
		for g := range strings.SplitSeq(dump, "\n\n") {
			state, _, _ := strings.Cut(g, "\n")
			if strings.Contains(state, "[syscall") && strings.Contains(g, "ead(") && !strings.Contains(g, "os/signal") {
				t.Errorf("a read holds a thread:\n%s", g)
			}
			waits = waits || strings.Contains(state, "[IO wait") && strings.Contains(g, "channel/wire")
		}
		if waits {
			return
		}
	}
	t.Errorf("nobody waits in the poller for what comes:\n%s", dump)
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
	c, p := sudo(t, plugin.Options{})
	_, pid := who(t, p)
	if paths := listening(t, pid); len(paths) > 0 {
		t.Errorf("it listens at %v", paths)
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

// listening lists where a process of anybody's accepts connections.
func listening(t *testing.T, pid int) (paths []string) {
	t.Helper()
	mine := map[string]bool{}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, err := st.Root.ReadDir(dir)
	must(t, err)
	for _, name := range names {
		to, _ := st.Root.ReadLink(filepath.Join(dir, name)) // gone since
		mine[to] = true
	}
	text, err := os.ReadFile("/proc/net/unix")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		const accepts = "00010000"
		if f := strings.Fields(line); len(f) > 6 && f[3] == accepts && mine["socket:["+f[6]+"]"] {
			paths = append(paths, strings.Join(f[6:], " "))
		}
	}
	return paths
}

// 4: go-plugin's Kill waits for its Shutdown without a limit; a worker that is stopped, or hangs, answers nothing.
func TestTrap4KillIsBounded(t *testing.T) {
	for name, state := range map[string]func(t *testing.T, p probe, pid int){
		"stopped": func(t *testing.T, _ probe, pid int) { suspend(t, pid) },
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
	suspend(t, pid)
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

// rpcPlugin speaks net/rpc.
type rpcPlugin struct{}

func (rpcPlugin) Server(*goplugin.MuxBroker) (any, error) { return nil, nil }

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
