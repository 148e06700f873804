//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/kernel"
)

// TestMain makes the test binary the kernel and the server, too.
func TestMain(m *testing.M) {
	delivery.Main()
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestSockets: nobody is refused, and the kernel keeps the count over two runs.
func TestSockets(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "k.sock")
	for range 2 {
		var stdout, stderr strings.Builder
		if code := run(ctx, []string{"-socket", socket, "-restarts", "3"}, &stdout, &stderr); code != 0 {
			t.Fatalf("status %d\n%s", code, stderr.String())
		}
		if !regexp.MustCompile(`^3 servers, [1-9]\d* visits, 0 refused\n$`).MatchString(stdout.String()) {
			t.Errorf("got %q", stdout.String())
		}
	}
	k, err := kernel.Open(ctx, kernel.Options{Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Get(ctx, "example.count"); got != "6" || err != nil {
		t.Errorf("the count is %q, %v", got, err)
	}
	if err := k.Set(ctx, "example.count", ""); err != nil {
		t.Error(err)
	}
	for {
		idle, err := k.ExitIfIdle(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if idle {
			break
		}
		time.Sleep(10 * time.Millisecond) // a process is about to be forgotten
	}
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(socket); os.IsNotExist(err) {
			return
		}
	}
	t.Error("the kernel does not end")
}
