package main

import (
	"fmt"
	"os"
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

// The same functions fail in the same way wherever they run.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name, via string
		uid       int
		need      func(stage.TB)
	}{
		{"a fresh copy", "self", os.Getuid(), func(stage.TB) {}},
		{"sudo", "sudo", 0, here.NeedSudo},
		{"ssh", fmt.Sprintf("ssh=%s@127.0.0.1:%d", here.User, here.SSHPort), os.Getuid(), here.NeedSSH},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.need(t)
			var stdout, stderr strings.Builder
			if code := run([]string{"-via", tt.via}, &stdout, &stderr); code != 0 {
				t.Fatalf("status %d\n%s", code, stderr.String())
			}
			for _, want := range []string{
				"1. a typed error: open /no/such/file: no such file or directory\n" +
					"   errors.Is fs.ErrNotExist: true\n   errors.As *fs.PathError: op open, path /no/such/file\n",
				"2. the program's own: refused: 20 missing\n   errors.Is errRefused: true\n   errors.As *ShortError: missing 20\n",
				fmt.Sprintf("ran as uid %d, ", tt.uid), ".spend", ".everything",
				"4. panic: runtime error: index out of range [2] with length 2\n" +
					"   errors.As *box.PanicError: true\n   errors.As runtime.Error: true\n",
				"   exited, with status 3\n",
				"   errors.Is context.Canceled: true\n",
			} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("no %q in\n%s", want, stdout.String())
				}
			}
		})
	}
}

func TestUndelivered(t *testing.T) {
	here.NeedSudo(t) // else it fails as well, but for the lack of sudo
	var stdout strings.Builder
	undelivered(&stdout)
	for _, want := range []string{"7. not delivered: deliver read via sudo=nobody//sudo: ", "; the function: not started\n", "   hop "} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
}
