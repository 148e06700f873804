package pool_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var (
	readFile = registry.Register("file.read", func(f *os.File) (string, error) {
		defer f.Close()
		text, err := io.ReadAll(f)
		return string(text), err
	})
	giveFile = registry.Register("file.open", os.Open)
	logs     = registry.Register("log", func(ctx context.Context, text string) error {
		slog.InfoContext(ctx, text, "n", 1, slog.Group("g", "at", "far"))
		return nil
	})
)

// Open files pass through a server in both directions, and none of them stays there.
func TestOpenFilesThroughServer(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, []byte("text"), 0o600))
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 1}})
	guest := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 1}}).Via(stranger)
	c := dial(t, s, owner)
	round := func() {
		t.Helper()
		f, err := giveFile.On(c)(name)
		must(t, err)
		text, err := readFile.On(c)(f)
		if err != nil || text != "text" {
			t.Fatalf("%q, %+v", text, err)
		}
		f.Close()
		if f, err = giveFile.On(delivery.Once{Via: s.Via(owner)})(name); err != nil {
			t.Fatalf("%+v", err)
		}
		defer f.Close()
		if _, err := readFile.On(delivery.Once{Via: guest})(f); err == nil || !strings.Contains(err.Error(), "may not have this done") {
			t.Fatalf("%+v", err)
		}
	}
	round()
	before := openFiles(t)
	for range 20 {
		round()
	}
	if after := openFiles(t); after > before+10 {
		t.Errorf("%d open files, after %d", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("there is no /proc to count open files in")
	}
	return len(list)
}

// Where open files cannot pass, they are refused before anything runs, with the reason.
func TestOpenFilesThatCannotPass(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Via: transport.Command{Prefix: []string{"/usr/bin/env"}}, Size: 1}})
	c := dial(t, s, owner)
	f, err := os.Open(os.DevNull)
	must(t, err)
	defer f.Close()
	_, fromArgument := readFile.On(c)(f)
	_, fromResult := giveFile.On(c)(os.DevNull)
	for _, err := range []error{fromArgument, fromResult} {
		if err == nil || !strings.Contains(err.Error(), "passes only between processes of one machine") {
			t.Errorf("%+v", err)
		}
	}
	if n := s.Stats().Calls; n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// What functions log goes to the log of the client that has called, as over a session, and not to the server's.
func TestLogThroughServer(t *testing.T) {
	var mine, others, servers logBook
	s := newServer(t, pool.ServeOptions{Pool: pool.Options{Size: 1, Session: session.Options{Log: servers.logger().Handler()}}})
	c := dial(t, s, owner, session.Options{Log: mine.logger().Handler()})
	d := dial(t, s, owner, session.Options{Log: others.logger().Handler()})
	for _, text := range []string{"first", "second"} {
		must(t, logs.On(c)(t.Context(), text))
	}
	must(t, logs.On(d)(t.Context(), "of another"))
	for _, want := range []string{"level=INFO msg=first n=1 g.at=far", "msg=second", "deliveryboy.func=log", "pass_test.go"} {
		if !strings.Contains(mine.String(), want) {
			t.Errorf("no %q in %q", want, mine.String())
		}
	}
	if text := mine.String() + servers.String(); strings.Contains(text, "of another") || strings.Contains(servers.String(), "first") {
		t.Errorf("the client's %q, the server's %q", mine.String(), servers.String())
	}
	if !strings.Contains(others.String(), "of another") {
		t.Errorf("%q", others.String())
	}
}
