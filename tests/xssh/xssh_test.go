//go:build linux

// Package xssh tests ssh within this process against a real sshd, as an ordinary user in a private place on this machine; see
// tests/stage.
package xssh

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/xssh"
)

var st *stage.Stage

// patience is for a machine that does much else.
const patience = 3 * time.Minute

var (
	whoami = registry.Register("whoami", func() (int, error) { return os.Getuid(), nil })
	crash  = registry.Register("crash", func() error { os.Exit(9); return nil })
	forget = registry.Register("forget", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
)

func TestMain(m *testing.M) {
	delivery.Main()
	st = stage.Enter(stage.Options{Keep: []string{"XSSH_*"}})
	if os.Getenv("XSSH_FULL") != "1" {
		_ = flag.Set("test.short", "true") // for the suite
	}
	os.Exit(m.Run())
}

func stageHop() xssh.SSH {
	return xssh.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig, ConnectTimeout: patience}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

func open(t *testing.T, via transport.Transport) *session.Session {
	t.Helper()
	s, err := delivery.Open(t.Context(), via)
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// TestConformance: a worker behind it does all that a worker does.
func TestConformance(t *testing.T) {
	st.NeedSSH(t)
	t.Run("once", func(t *testing.T) {
		if testing.Short() {
			t.Skip("as a session; XSSH_FULL=1 runs it")
		}
		couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: stageHop()} })
	})
	t.Run("session", func(t *testing.T) {
		couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, stageHop()) })
	})
	t.Run("then sudo", func(t *testing.T) {
		st.NeedSudo(t)
		couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, transport.Chain{stageHop(), transport.Sudo{}}) })
	})
}

// TestWho: chains go on behind it, and no ssh is started for it.
func TestWho(t *testing.T) {
	st.NeedSSH(t)
	st.NeedSudo(t)
	for _, c := range []struct {
		via transport.Transport
		uid int
	}{
		{stageHop(), st.UID}, {transport.Chain{stageHop(), transport.Sudo{}}, 0}, {transport.Chain{stageHop(), transport.Sudo{User: st.Second}}, st.SecondUID},
	} {
		s := open(t, c.via)
		got, err := whoami.On(s)()
		if err != nil || got != c.uid {
			t.Errorf("%s: ran as %d, %v; want %d", c.via, got, err, c.uid)
		}
		if list, err := st.Children(os.Getpid(), "ssh"); err != nil || len(list) > 0 {
			t.Errorf("%s: ssh runs: %v, %v", c.via, list, err)
		}
	}
	if _, err := transport.Build(transport.Chain{transport.Sudo{}, stageHop()}, []string{"/opt/app", "__deliver"}); err == nil ||
		!strings.Contains(err.Error(), "first hop") {
		t.Errorf("behind another hop: %v", err)
	}
}

// TestEnds: how a function ended comes back, and a cancelled call leaves nothing.
func TestEnds(t *testing.T) {
	st.NeedSSH(t)
	st.NeedRoot(t)
	var remote *box.RemoteError
	if err := crash.On(delivery.Once{Via: stageHop()})(); !errors.As(err, &remote) || remote.Kind != box.Exited || remote.Code != 9 {
		t.Errorf("os.Exit(9) came back as %+v", err)
	}
	before := runtime.NumGoroutine()
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if err := forget.On(delivery.Once{Via: stageHop()})(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled: %+v", err)
		}
		cancel()
	}
	st.WaitForSurvivors(t, 0, patience, "cancel")
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, before there were %d\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// TestCloseUnread: a connection ends when it is closed, also if nobody reads what comes.
func TestCloseUnread(t *testing.T) {
	st.NeedSSH(t)
	var ours, theirs [3]*os.File
	for i := range theirs {
		r, w, err := os.Pipe()
		must(t, err)
		if ours[i], theirs[i] = r, w; i == 0 {
			ours[i], theirs[i] = w, r
		}
		defer ours[i].Close()
	}
	line, err := stageHop().Dial(t.Context(), []string{"echo begun; exec cat /dev/zero"}, theirs)
	must(t, err)
	if _, err := ours[1].Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = line.Close()
	ended := make(chan error, 1)
	go func() { _, err := line.Wait(); ended <- err }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the command did not end by itself")
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}

// TestTrust: an unknown key, another key, and a host that takes no key of ours are errors, before anything is sent.
func TestTrust(t *testing.T) {
	st.NeedSSH(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	public, _, err := ed25519.GenerateKey(nil)
	must(t, err)
	key, err := ssh.NewPublicKey(public)
	must(t, err)
	other := "[127.0.0.1]:" + strconv.Itoa(st.SSHPort) + " " + string(ssh.MarshalAuthorizedKey(key))
	for name, c := range map[string]struct {
		change func(h *xssh.SSH)
		want   error
		text   string
	}{
		"unknown host":  {func(h *xssh.SSH) { h.KnownHosts = write("empty", "") }, xssh.ErrHostKey, "is unknown"},
		"changed key":   {func(h *xssh.SSH) { h.KnownHosts = write("other", other) }, xssh.ErrHostKey, "has changed"},
		"no known file": {func(h *xssh.SSH) { h.KnownHosts = filepath.Join(dir, "none") }, xssh.ErrHostKey, "is unknown"},
		"no key":        {func(h *xssh.SSH) { h.Identity = filepath.Join(dir, "none") }, xssh.ErrAuth, "there is none"},
		"another user":  {func(h *xssh.SSH) { h.User = "daemon" }, xssh.ErrAuth, "user daemon"},
		"jump":          {func(h *xssh.SSH) { h.Jump = "127.0.0.1:1" }, nil, "jump host 127.0.0.1: dial"},
		"match":         {func(h *xssh.SSH) { h.ConfigFile = write("match", "Match exec true\n  User root\n") }, nil, "Match"},
		"nobody there":  {func(h *xssh.SSH) { h.Port = 1 }, nil, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			h := stageHop()
			c.change(&h)
			_, err := whoami.On(delivery.Once{Via: h})()
			var d *box.DeliveryError
			if !errors.As(err, &d) || d.Fate != box.NotStarted || !strings.Contains(err.Error(), c.text) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%+v; want %q", err, c.text)
			}
		})
	}
}
