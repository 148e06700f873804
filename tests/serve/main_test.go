//go:build linux

// Package serve tests servers on unix sockets and on TCP against real parts: a server in another process, callers of other users, ssh
// before the socket, and the death of each part. The tests run as an ordinary user in a private place on this machine; see
// tests/stage. SERVE_FULL=1 runs the suite at full size.
package serve

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/play"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/mtls"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	switch role := os.Getenv("SERVE_ROLE"); role {
	case "":
	case "server":
		os.Exit(playServer())
	default:
		os.Exit(playCaller(role))
	}
	st = stage.Enter(stage.Options{Keep: []string{"SERVE_*"}})
	if os.Getenv("SERVE_FULL") != "1" {
		_ = flag.Set("test.short", "true") // for the suite, which runs many times
	}
	os.Exit(m.Run())
}

// settings are what a server of these tests is told.
type settings struct {
	Options delivery.ServeOptions
	Guard   *mtls.Server // with an Address
	Files   uint64       // how many descriptors it may have; 0: as many as usual
}

// A letter is settings on their way to another process.
type letter struct {
	Socket, Address     string
	Only, Users, Groups []string
	Connections         int
	Patience, Drain     time.Duration
	Guard               *mtls.Server
	Files               uint64
}

func (s settings) letter() letter {
	o := s.Options
	return letter{o.Socket, o.Address, o.Only, o.Users, o.Groups, o.Connections, o.Patience, o.Drain, s.Guard, s.Files}
}

func (l letter) settings() settings {
	o := delivery.ServeOptions{
		Socket: l.Socket, Address: l.Address, Only: l.Only, Users: l.Users, Groups: l.Groups,
		Connections: l.Connections, Patience: l.Patience, Drain: l.Drain,
	}
	if l.Guard != nil {
		o.Guard = l.Guard
	}
	return settings{o, l.Guard, l.Files}
}

// playServer is a server, until SIGTERM. Its log is on stdout.
func playServer() int {
	var l letter
	if err := json.Unmarshal([]byte(os.Getenv("SERVE_SETTINGS")), &l); err != nil {
		fmt.Println(err)
		return 2
	}
	s := l.settings()
	if s.Files > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: s.Files, Max: s.Files}); err != nil {
			fmt.Println(err)
			return 2
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s.Options.Log = slog.New(slog.NewTextHandler(os.Stdout, nil))
	if err := delivery.Serve(ctx, s.Options); err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	return 0
}

// playCaller is a caller that is going to be killed.
func playCaller(via string) int {
	spec, err := transport.Parse(via)
	if err == nil {
		err = stubborn.On(delivery.Once{Via: spec.Via})(context.Background())
	}
	fmt.Println("ended", err)
	return 1
}

// A server is one in another process.
type server struct {
	*play.Server
	path string // or its address
	tls  transport.TLS
}

// serve starts a server on a socket of its own, unless one is given, and waits until it serves.
func serve(t *testing.T, s settings) *server {
	t.Helper()
	if s.Options.Socket == "" {
		s.Options.Socket = play.Socket(t, "app.sock")
	}
	srv := launch(t, s)
	srv.Wait(t, "msg=serving")
	return srv
}

func launch(t *testing.T, s settings) *server {
	t.Helper()
	text, err := json.Marshal(s.letter())
	must(t, err)
	cmd := exec.Command(st.Binary) //nolint:noctx // the test ends it
	cmd.Env = append(os.Environ(), "SERVE_ROLE=server", "SERVE_SETTINGS="+string(text))
	cmd.Stderr = os.Stderr
	return &server{Server: play.Start(t, cmd), path: s.Options.Socket}
}

func (s *server) via() transport.Socket {
	if s.tls.Cert != "" {
		return transport.Socket{Address: s.path, TLS: s.tls}
	}
	return transport.Socket{Path: s.path}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

// limited is a context that ends when a test hangs.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func sshHop() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
}
