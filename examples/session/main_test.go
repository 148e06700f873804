package main

import (
	"context"
	"fmt"
	"os"
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

func TestSession(t *testing.T) {
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
			var stdout, stderr strings.Builder
			if code := run(context.Background(), []string{"-via", tt.via}, &stdout, &stderr); code != 0 {
				t.Fatalf("status %d\n%s", code, stderr.String())
			}
			for _, want := range []string{
				fmt.Sprintf("one worker: uid %d,", tt.uid), "tried 7000\n", "the smallest number with 64 divisors is 7560\n",
				fmt.Sprintf("the worker has served %d calls\n", 1+10_000+32*(10_000/32)+1),
			} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("got\n%s\nwithout %q", stdout.String(), want)
				}
			}
			if !strings.Contains(stderr.String(), "msg=searching") || !strings.Contains(stderr.String(), "divisors=64") {
				t.Errorf("the far function's log did not arrive:\n%s", stderr.String())
			}
		})
	}
}

func TestBadSpec(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := run(context.Background(), []string{"-via", "sudoo"}, &stdout, &stderr); code != 64 || stderr.Len() == 0 {
		t.Errorf("status %d, %q", code, stderr.String())
	}
}
