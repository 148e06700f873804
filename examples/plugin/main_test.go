package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var here *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main() // the copy that the transport starts is this test binary
	here = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

func TestPlugin(t *testing.T) {
	for _, tt := range []struct {
		via  string
		need func(stage.TB)
		uid  int
	}{
		{"self", func(stage.TB) {}, os.Getuid()},
		{"sudo", here.NeedSudo, 0},
		{fmt.Sprintf("ssh=%s@127.0.0.1:%d//sudo", here.User, here.SSHPort), func(t stage.TB) { here.NeedSSH(t); here.NeedSudo(t) }, 0},
	} {
		t.Run(tt.via, func(t *testing.T) {
			tt.need(t)
			for range 2 { // a store for each
				out := output(t, "-via", tt.via)
				want := fmt.Sprintf("the store is with uid %d\nnothing yet: rpc error: code = NotFound desc = no key \"used\"\nused 1 times\n", tt.uid)
				if out != want {
					t.Errorf("got\n%s\ninstead of\n%s", out, want)
				}
			}
		})
	}
}

func TestStay(t *testing.T) {
	for via, need := range map[string]func(stage.TB){"self": func(stage.TB) {}, "sudo": here.NeedSudo} {
		t.Run(via, func(t *testing.T) {
			need(t)
			record := filepath.Join(t.TempDir(), "store.json")
			if err := os.WriteFile(record, []byte(output(t, "-via", via, "-stay")), 0o600); err != nil {
				t.Fatal(err)
			}
			output(t, "-via", via, "-attach", record)
			if out := output(t, "-via", via, "-attach", record); out != "used 2 times\n" {
				t.Error(out)
			}
			output(t, "-via", via, "-attach", record, "-stop")
			var stdout, stderr strings.Builder
			code := run(context.Background(), []string{"-via", via, "-attach", record}, &stdout, &stderr)
			if code != 1 || !strings.Contains(stderr.String(), "the plugin of this record is gone") {
				t.Errorf("status %d\n%s", code, stderr.String())
			}
		})
	}
}

// output runs the example, which must succeed, and returns what it prints.
func output(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := run(context.Background(), args, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Fatalf("status %d\n%s", code, stderr.String())
	}
	return stdout.String()
}
