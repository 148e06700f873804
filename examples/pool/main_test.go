package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var here *stage.Stage

func TestMain(m *testing.M) {
	pool.Register()
	delivery.Main() // the copies that the transport starts are this test binary
	here = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

func TestPool(t *testing.T) {
	for via, need := range map[string]func(stage.TB){
		"self": func(stage.TB) {}, "sudo": here.NeedSudo,
	} {
		t.Run(via, func(t *testing.T) {
			need(t)
			var dirs []string
			for i := range 5 {
				dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				for n := range i {
					if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				dirs = append(dirs, dir)
			}
			var stdout, stderr strings.Builder
			if code := run(context.Background(), append([]string{"-via", via, "-workers", "2"}, dirs...), &stdout, &stderr); code != 0 {
				t.Fatalf("status %d\n%s", code, stderr.String())
			}
			for i, dir := range dirs {
				if want := fmt.Sprintf("%s: %d files, ", dir, i); !strings.Contains(stdout.String(), want) {
					t.Errorf("got\n%s\nwithout %q", stdout.String(), want)
				}
			}
			if !strings.Contains(stdout.String(), "10 calls in 2 workers\n") && !strings.Contains(stdout.String(), "10 calls in 1 workers\n") {
				t.Errorf("got\n%s", stdout.String())
			}
		})
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-via", "sudoo"}, 64, "sudoo"}, {[]string{"-x"}, 64, "-x"}, {[]string{"/does/not/exist"}, 1, "no such file"},
	} {
		var stdout, stderr strings.Builder
		if code := run(context.Background(), c.args, &stdout, &stderr); code != c.status || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%q: status %d, %q", c.args, code, stderr.String())
		}
	}
}
