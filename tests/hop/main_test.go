//go:build linux

// Package hop tests sessions through sessions against real parts: sudo and ssh behind the worker of a session that is open.
// The tests run as an ordinary user in a private place on this machine; see tests/stage. HOP_FULL=1 runs the suite at full
// size and over every way.
package hop

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/session/hop"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

// identity is who runs something.
type identity struct{ UID, PID, Parent int }

var (
	whoami = registry.Register("whoami", func() (identity, error) {
		return identity{os.Getuid(), os.Getpid(), os.Getppid()}, nil
	})
	exit     = registry.Register("exit", func(code int) error { os.Exit(code); return nil })
	stubborn = registry.Register("stubborn", func() error {
		cmd := exec.Command("/bin/sleep", "1000")
		if err := cmd.Start(); err != nil {
			return err
		}
		fmt.Println("running", os.Getpid())
		_ = cmd.Wait() // somebody may kill it
		select {}
	})
)

func TestMain(m *testing.M) {
	delivery.Main()
	if os.Getenv("HOP_ROLE") == "caller" {
		os.Exit(playCaller())
	}
	st = stage.Enter(stage.Options{Keep: []string{"HOP_*"}})
	if os.Getenv("HOP_FULL") != "1" {
		_ = flag.Set("test.short", "true") // for the suite
	}
	os.Exit(m.Run())
}

// playCaller is a caller that is going to be killed.
func playCaller() int {
	gate, err := delivery.Open(context.Background(), transport.Self{})
	if err == nil {
		err = stubborn.On(delivery.Once{Via: transport.Chain{hop.Through(gate), transport.Sudo{}}})()
	}
	fmt.Println("ended", err)
	return 1
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

// open opens a session that is closed, without force, at the end of the test.
func open(t *testing.T, via transport.Transport, o ...session.Options) *session.Session {
	t.Helper()
	s := openRough(t, via, o...)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// openRough opens a session that the test ends in its own way.
func openRough(t *testing.T, via transport.Transport, o ...session.Options) *session.Session {
	t.Helper()
	s, err := delivery.Open(limited(t), via, o...)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func sshHop() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
}

// nothingLeft waits until no worker and no child of a function is left.
func nothingLeft(t *testing.T, after string) {
	t.Helper()
	st.WaitForSurvivors(t, 0, 10*time.Second, after)
}

// A spotter waits for a word in what is written to it.
type spotter struct {
	mu    sync.Mutex
	text  bytes.Buffer
	word  string
	found chan struct{}
	once  sync.Once
}

func watch(word string) *spotter { return &spotter{word: word, found: make(chan struct{})} }

func (s *spotter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.text.Write(p)
	if bytes.Contains(s.text.Bytes(), []byte(s.word)) {
		s.once.Do(func() { close(s.found) })
	}
	return n, err
}
