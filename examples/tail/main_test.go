package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
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

// A log that is written, rotated, written again and cut is followed all the way; then Ctrl-C ends it.
func TestFollow(t *testing.T) {
	for _, tt := range []struct {
		via  string
		need func(stage.TB)
	}{
		{"sudo", here.NeedSudo},
		{fmt.Sprintf("ssh=%s@127.0.0.1:%d", here.User, here.SSHPort), here.NeedSSH},
	} {
		t.Run(tt.via, func(t *testing.T) {
			tt.need(t)
			name := filepath.Join(t.TempDir(), "log")
			write := func(flag int, text string) {
				t.Helper()
				f, err := os.OpenFile(name, flag|os.O_WRONLY|os.O_CREATE, 0o600)
				if err == nil {
					_, err = f.WriteString(text)
					f.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			write(0, "first\nsecond\n")
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			out, in := io.Pipe()
			var stderr strings.Builder
			code := make(chan int)
			go func() {
				code <- run(ctx, []string{"-via", tt.via, "-whole", name}, in, &stderr)
				in.Close()
			}()
			lines := bufio.NewScanner(out)
			expect := func(want string) {
				t.Helper()
				if !lines.Scan() || lines.Text() != want {
					t.Fatalf("got %q, want %q", lines.Text(), want)
				}
			}
			expect("first")
			expect("second")
			write(os.O_APPEND, "th")
			write(os.O_APPEND, "ird\n")
			expect("third")
			if err := os.Rename(name, name+".1"); err != nil {
				t.Fatal(err)
			}
			write(0, "rotated\n")
			expect("rotated")
			if err := os.Truncate(name, 0); err != nil {
				t.Fatal(err)
			}
			write(os.O_APPEND, "cut\n")
			expect("cut")
			stop()
			if got := <-code; got != 0 {
				t.Errorf("status %d\n%s", got, stderr.String())
			}
		})
	}
}

func TestFailures(t *testing.T) {
	here.NeedSudo(t)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"/no/such/file"}, 1, "no such file"},
		{[]string{"-via", "self", "/etc/shadow"}, 1, "permission denied"},
		{[]string{}, 64, "usage: "},
		{[]string{"-via", "sudoo", "/x"}, 64, "sudoo"},
	} {
		var stderr strings.Builder
		if code := run(context.Background(), tt.args, io.Discard, &stderr); code != tt.code || !strings.Contains(stderr.String(), tt.says) {
			t.Errorf("%q: status %d, %q; want %d, %q", tt.args, code, stderr.String(), tt.code, tt.says)
		}
	}
}
