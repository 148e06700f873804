package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var here *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	here = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

func TestCopy(t *testing.T) {
	for _, tt := range []struct {
		via  string
		need func(stage.TB)
	}{
		{"sudo", here.NeedSudo},
		{fmt.Sprintf("ssh=%s@127.0.0.1:%d//sudo", here.User, here.SSHPort), func(t stage.TB) { here.NeedSSH(t); here.NeedSudo(t) }},
	} {
		t.Run(tt.via, func(t *testing.T) {
			tt.need(t)
			name := filepath.Join(t.TempDir(), "image")
			text := make([]byte, 5<<20+123)
			_, _ = rand.NewChaCha8([32]byte{}).Read(text)
			var stdout, stderr strings.Builder
			if code := run(context.Background(), []string{"-via", tt.via, name}, bytes.NewReader(text), &stdout, &stderr); code != 0 {
				t.Fatalf("status %d\n%s", code, stderr.String())
			}
			if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, text) {
				t.Errorf("got %d bytes of %d, %v", len(got), len(text), err)
			}
			if n := strings.Count(stdout.String(), " bytes\n"); n != 7 || !strings.Contains(stdout.String(), "1048576 bytes\n") {
				t.Errorf("%d lines of progress, want 6 and the last word:\n%s", n, stdout.String())
			}
		})
	}
}

// A stream that breaks leaves nothing behind, and its error is the caller's.
func TestBrokenStream(t *testing.T) {
	here.NeedSudo(t)
	dir := t.TempDir()
	broken := io.MultiReader(strings.NewReader("half"), failing{})
	var stdout, stderr strings.Builder
	if code := run(context.Background(), []string{filepath.Join(dir, "x")}, broken, &stdout, &stderr); code != 1 {
		t.Errorf("status %d", code)
	}
	if !strings.Contains(stderr.String(), errBroken.Error()) {
		t.Errorf("got %q", stderr.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

var errBroken = errors.New("the tape is torn")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"relative"}, {"-via", "sudoo", "/x"}, {"-nosuch"}} {
		var stderr strings.Builder
		if code := run(context.Background(), args, strings.NewReader(""), io.Discard, &stderr); code != 64 || stderr.Len() == 0 {
			t.Errorf("%q: status %d, %q", args, code, stderr.String())
		}
	}
}
