package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Two functions that attach on the far side, where the user may be another.
var (
	askThere = registry.Register("ask.there", func(ctx context.Context, r plugin.Record, verb, text string) (string, error) {
		a, err := plugin.Reattach(ctx, r)
		if err != nil {
			return "", err
		}
		defer a.Close()
		p, err := plugin.Dispense[probe](a, "probe")
		if err != nil {
			return "", err
		}
		return p.Do(ctx, verb, text)
	})
	stopThere = registry.Register("stop.there", func(ctx context.Context, r plugin.Record) error {
		a, err := plugin.Reattach(ctx, r)
		if err != nil {
			return err
		}
		return a.Stop(ctx)
	})
)

// detach starts a detached probe, which is gone at the end of the test.
func detach(t *testing.T, c box.Courier, o plugin.StartOptions) plugin.Record {
	t.Helper()
	r, err := plugin.Start(limited(t), c, "probe", o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() {
		if alive(r.PID) {
			_ = kill(r.PID, syscall.SIGKILL)
		}
		gone(t, r.PID)
	})
	return r
}

// attach attaches here.
func attach(t *testing.T, r plugin.Record, o plugin.AttachOptions) (*plugin.Attached, probe) {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.DiscardHandler
	}
	a, err := plugin.Reattach(limited(t), r, o)
	must(t, err)
	p, err := plugin.Dispense[probe](a, "probe")
	must(t, err)
	return a, p
}

var self = delivery.Once{Via: transport.Self{}}

// A plugin that is started through a worker outlives it, and is found again there, as whoever it belongs to.
func TestDetached(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		once := delivery.Once{Via: tg.via}
		r := detach(t, once, plugin.StartOptions{}) // its worker has ended
		if !alive(r.PID) || r.Version != 4 || r.Protocol != "grpc" || r.Network != "unix" || r.Host == "" {
			t.Fatalf("%+v", r)
		}
		for range 2 {
			out, err := askThere.On(once)(limited(t), r, "who", "")
			if want := fmt.Sprint(r.UID, " ", r.PID); err != nil || out != want {
				t.Fatalf("%q instead of %q: %v", out, want, err)
			}
		}
		if tg.uid == 0 {
			if _, err := os.Stat(r.Address); !errors.Is(err, os.ErrPermission) {
				t.Errorf("an ordinary user sees into the directory of root's socket: %v", err)
			}
			if _, err := plugin.Reattach(limited(t), r); !errors.Is(err, os.ErrPermission) {
				t.Error(err)
			}
			if !alive(r.PID) {
				t.Fatal("a reattach that failed ended the plugin")
			}
		}
		must(t, stopThere.On(once)(limited(t), r))
		gone(t, r.PID)
		if _, err := askThere.On(once)(limited(t), r, "who", ""); err == nil || !strings.Contains(err.Error(), plugin.ErrGone.Error()) {
			t.Error(err)
		}
	})
}

// The starter dies, without a word.
func TestDetachedOutlivesSession(t *testing.T) {
	leaks(t)
	s, err := delivery.Open(limited(t), transport.Self{})
	must(t, err)
	info, err := s.Info(limited(t))
	must(t, err)
	r := detach(t, s, plugin.StartOptions{})
	must(t, kill(info.PID, syscall.SIGKILL))
	<-s.Done()
	_ = s.Close()
	a, p := attach(t, r, plugin.AttachOptions{})
	if ask(t, p, "echo", "still here") != "still here" {
		t.Error("no echo")
	}
	must(t, a.Close())
	if !alive(r.PID) {
		t.Fatal("Close ended it")
	}
	a, _ = attach(t, r, plugin.AttachOptions{})
	must(t, a.Stop(limited(t)))
	gone(t, r.PID)
	if _, err := os.Stat(filepath.Dir(r.Address)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory stays: %v", err)
	}
}

// stranger attaches as a host would that knows nothing of this module, from the JSON alone.
func stranger(text []byte) (*goplugin.Client, error) {
	var r struct {
		Protocol, Network, Address string
		Version, PID               int
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	c := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: probeHandshake, Plugins: setOf(4), AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger: hclog.NewNullLogger(),
		Reattach: &goplugin.ReattachConfig{
			Protocol: goplugin.Protocol(r.Protocol), ProtocolVersion: r.Version, Pid: r.PID,
			Addr: &net.UnixAddr{Net: r.Network, Name: r.Address},
		},
	})
	_, err := c.Client()
	return c, err
}

func TestStranger(t *testing.T) {
	r := detach(t, self, plugin.StartOptions{})
	text, err := json.Marshal(r)
	must(t, err)
	c, err := stranger(text)
	must(t, err)
	served(t, c, r)

	c = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: probeHandshake, Plugins: setOf(4), AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger: hclog.NewNullLogger(), Reattach: r.ReattachConfig(),
	})
	served(t, c, r)
	c.Kill() // it may
	gone(t, r.PID)
}

// served sees a stranger use a plugin.
func served(t *testing.T, c *goplugin.Client, r plugin.Record) {
	t.Helper()
	client, err := c.Client()
	must(t, err)
	must(t, client.Ping())
	raw, err := client.Dispense("probe")
	must(t, err)
	if uid, pid := who(t, raw.(probe)); uid != os.Getuid() || pid != r.PID {
		t.Errorf("uid %d, pid %d", uid, pid)
	}
}

func TestIdle(t *testing.T) {
	leaks(t)
	r := detach(t, self, plugin.StartOptions{Idle: 300 * time.Millisecond})
	a, p := attach(t, r, plugin.AttachOptions{})
	ask(t, p, "sleep", "700ms") // longer than Idle, but it is in use
	must(t, a.Close())
	gone(t, r.PID)
}

// What is already decided wrong starts nothing.
func TestStartRefused(t *testing.T) {
	leaks(t)
	other := probeHandshake
	other.MagicCookieValue = "another"
	for name, tt := range map[string]struct {
		o    plugin.StartOptions
		want string
	}{
		"cookie":     {plugin.StartOptions{Expect: plugin.Set{Handshake: other, Plugins: setOf(1)}}, "magic cookie PROBE_PLUGIN"},
		"version":    {plugin.StartOptions{Expect: plugin.Set{Handshake: probeHandshake, Versions: map[int]goplugin.PluginSet{9: setOf(9)}}}, "no version is on both sides"},
		"directory":  {plugin.StartOptions{Dir: "/does/not/exist"}, "no such file or directory"},
		"relative":   {plugin.StartOptions{Dir: "tmp"}, "an absolute path is needed"},
		"idle":       {plugin.StartOptions{Idle: -1}, "must not be negative"},
		"long path":  {plugin.StartOptions{Dir: longDir(t)}, "the name of a socket in it"},
		"no plugins": {plugin.StartOptions{Expect: plugin.Set{Handshake: probeHandshake}}, "there are none"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plugin.Start(limited(t), self, "probe", tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v instead of %q", err, tt.want)
			}
			if rest := copies(t); len(rest) > 0 {
				t.Errorf("%v were started", rest)
			}
		})
	}
}

// longDir is a directory whose name leaves no room for that of a socket.
func longDir(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	must(t, os.Mkdir(dir, 0o700))
	return dir
}

// copies lists the detached copies that run.
func copies(t *testing.T) (pids []int) {
	t.Helper()
	all, err := st.Root.Processes()
	must(t, err)
	for _, p := range all {
		if len(p.Argv) > 1 && p.Argv[1] == "__keep" {
			pids = append(pids, p.PID)
		}
	}
	return pids
}
