// Package kerneltest runs a kernel within a test: one of the test's own, that ends with it.
package kerneltest

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed354a1416/deliveryboy/internal/doorway"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/server"
)

// Start starts a kernel in this process and says how to reach it. Its state is in a directory of its own, which goes with
// the test.
func Start(t testing.TB) kernel.Options {
	t.Helper()
	return StartWith(t, server.Options{})
}

// StartWith is Start with options; those that are not given are Start's.
func StartWith(t testing.TB, o server.Options) kernel.Options {
	t.Helper()
	dir, err := os.MkdirTemp("", "kernel") // that of the test may have too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "kernel.sock")
	l, lock, err := doorway.Open(socket, len(o.AllowUIDs) > 0)
	if err != nil {
		t.Fatal(err)
	}
	o.Listener = l
	if o.State == "" {
		o.State = filepath.Join(dir, "state")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		work.Wait()
		_ = l.Close()
		lock.Close()
	})
	return kernel.Options{Socket: socket}
}

// Open is Start, and a client of it that is closed before.
func Open(t testing.TB) *kernel.Client {
	t.Helper()
	c, err := kernel.Open(t.Context(), Start(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
