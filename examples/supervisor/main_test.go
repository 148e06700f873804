//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/kernel"
)

// TestMain makes the test binary the kernel, too.
func TestMain(m *testing.M) {
	delivery.Main()
	os.Exit(m.Run())
}

// A screen is what a supervisor prints on.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) lines(program string) (said []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.text.String()) {
		if _, text, ok := strings.Cut(strings.TrimSpace(line), " "+program+": "); ok {
			said = append(said, text)
		}
	}
	return said
}

// TestSupervisor: a supervisor that is restarted misses nothing and starts nothing twice; what ends is started again.
func TestSupervisor(t *testing.T) {
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "k.sock")
	programs := []string{"count=i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done", "short=echo once; exit 3"}
	out := &screen{}
	for round := 1; round <= 3; round++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		ended := make(chan error)
		go func() { ended <- run(ctx, socket, false, programs, out) }()
		for enough := false; !enough && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			enough = len(out.lines("count")) >= 20*round && len(out.lines("short")) >= 4*round
		}
		cancel()
		<-ended
	}
	for i, text := range out.lines("count") {
		if text != strconv.Itoa(i) {
			t.Fatalf("line %d is %q", i, text)
		}
	}
	short := out.lines("short")
	for i, text := range short {
		if want := []string{"once", "ended with 3"}[i%2]; text != want {
			t.Fatalf("%d: %q instead of %q in %q", i, text, want, short)
		}
	}
	if len(short) < 12 {
		t.Errorf("only %d lines of what is started again", len(short))
	}
	if err := run(t.Context(), socket, true, nil, out); err != nil {
		t.Error(err)
	}
	endKernel(t, socket)
}

func endKernel(t *testing.T, socket string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	k, err := kernel.Open(ctx, kernel.Options{Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if list, err := k.Processes(ctx); err != nil || len(list) > 0 {
		t.Errorf("left: %+v, %v", list, err)
	}
	facts, err := k.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var holder int
	if _, err := fmt.Sscan(facts["holder"], &holder); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(holder, syscall.SIGTERM)
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(socket); os.IsNotExist(err) {
			return
		}
	}
	t.Error("the kernel does not end")
}
