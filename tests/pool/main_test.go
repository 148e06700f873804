//go:build linux

// Package pool tests pools against real parts: workers behind real sudo and a real sshd, a server in another process, clients
// of other users, and the death of each part. The tests run as an ordinary user in a private place on this machine; see
// tests/stage.
package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/play"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	if os.Getenv("POOL_ROLE") != "bare" { // its workers inherit that
		pool.Register()
	}
	delivery.Main()
	switch role := os.Getenv("POOL_ROLE"); role {
	case "":
	case "bare":
		os.Exit(playBare())
	case "server":
		os.Exit(playServer())
	case "client":
		os.Exit(playClient(os.Getenv("POOL_SETTINGS")))
	}
	st = stage.Enter(stage.Options{Keep: []string{"POOL_*"}})
	os.Exit(m.Run())
}

// Who is who runs a function.
type Who struct{ UID, PID int }

var (
	whoami = registry.Register("whoami", func() (Who, error) { return Who{os.Getuid(), os.Getpid()}, nil })
	// guestRun is a client of another user, over sudo: it dials, and runs a command.
	guestRun = registry.Register("guest.run", func(ctx context.Context, path, user string, argv []string) (pool.Output, error) {
		c, err := pool.DialVia(ctx, pool.Socket{Path: path, User: user})
		if err != nil {
			return pool.Output{}, err
		}
		defer c.Close()
		return c.Run(ctx, argv...)
	})
)

// settings are what a server of these tests is told.
type settings struct {
	Socket   string
	Size     int
	Accepts  int64
	Timeout  time.Duration
	Drain    time.Duration
	Patience time.Duration
	Write    time.Duration
	Rules    []pool.Rule
	Files    uint64 // how many descriptors it may have; 0: as many as usual
}

// playServer is a server, until SIGTERM. Its log is on stdout.
func playServer() int {
	var s settings
	if err := json.Unmarshal([]byte(os.Getenv("POOL_SETTINGS")), &s); err != nil {
		fmt.Println(err)
		return 2
	}
	if s.Files > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: s.Files, Max: s.Files}); err != nil {
			fmt.Println(err)
			return 2
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := pool.Serve(ctx, pool.ServeOptions{
		Socket: s.Socket, MaxAccepts: s.Accepts, Rules: s.Rules, Patience: s.Patience, WriteTimeout: s.Write,
		Pool: pool.Options{
			Size: s.Size, TaskTimeout: s.Timeout, Drain: s.Drain, Session: session.Options{Grace: 100 * time.Millisecond},
		},
		Log: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	return 0
}

// playBare is a program that has not called Register: it may have calls, but no commands.
func playBare() int {
	p, err := pool.Open(context.Background(), pool.Options{Via: transport.Self{}})
	if err == nil {
		_, err = whoami.On(p)()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	_, err = p.Commands().Run(context.Background(), "true")
	_, second := p.Commands().Start(context.Background(), "true")
	fmt.Println(errors.Is(err, pool.ErrNotRegistered), errors.Is(second, process.ErrNotRegistered), p.Close())
	return 0
}

// playClient runs a command that leaves children, and is going to be killed.
func playClient(path string) int {
	c, err := pool.Dial(context.Background(), path)
	if err == nil {
		h, failed := c.Start(context.Background(), "sh", "-c", "sleep 1000 & sleep 1000 & echo $$; wait")
		err = failed
		if err == nil {
			_, err = io.Copy(os.Stdout, h.Stdout)
		}
	}
	fmt.Println("ended", err)
	return 1
}

// A server is one in another process.
type server struct {
	*play.Server
	path string
}

// serve starts a server on a socket of its own, unless one is given, and waits until it serves.
func serve(t *testing.T, s settings) *server {
	t.Helper()
	if s.Socket == "" {
		s.Socket = play.Socket(t, "pool.sock")
	}
	srv := launch(t, s)
	srv.Wait(t, "msg=serving")
	return srv
}

func launch(t *testing.T, s settings) *server {
	t.Helper()
	text, err := json.Marshal(s)
	must(t, err)
	return &server{play.Start(t, role("server", string(text))), s.Socket}
}

// role is this program in a role.
func role(role, settings string) *exec.Cmd {
	cmd := exec.Command(st.Binary) //nolint:noctx // the test ends it
	cmd.Env = append(os.Environ(), "POOL_ROLE="+role, "POOL_SETTINGS="+settings)
	cmd.Stderr = os.Stderr
	return cmd
}

// serves waits until the server serves, or says that another one does.
func (s *server) serves(t *testing.T) bool {
	t.Helper()
	serving := "msg=serving"
	return strings.Contains(s.WaitFor(t, serving, func(line string) bool {
		return strings.Contains(line, serving) || strings.Contains(line, "another server is there")
	}), serving)
}

const patience = 30 * time.Second

// dial connects to a server.
func dial(t *testing.T, path string) *pool.Client {
	t.Helper()
	c, err := pool.Dial(limited(t), path)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

// limited is a context that ends when a test hangs.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func sshHop() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
}

// nothingLeft waits until no worker, guardian or leftover of a command is there.
func nothingLeft(t *testing.T, after string) {
	t.Helper()
	st.NeedRoot(t)
	st.WaitForSurvivors(t, 0, patience, after)
}
