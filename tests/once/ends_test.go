package once

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
)

func TestPanicArrivesWithItsPlace(t *testing.T) {
	overAll(t, func(t *testing.T, tg target, once delivery.Once) {
		err := explode.On(once)()
		var p *box.PanicError
		if !errors.As(err, &p) || !errors.Is(err, os.ErrPermission) || !errors.Is(p.Value.(error), os.ErrPermission) {
			t.Fatalf("%T: %v", err, err)
		}
		text := fmt.Sprintf("%+v", err)
		for _, want := range []string{"functions_test.go:", "panic: wrapped: permission denied", tg.via.String(), "explode"} {
			if !strings.Contains(text, want) {
				t.Errorf("%%+v does not say %q:\n%s", want, text)
			}
		}
		once.Repanic = true
		if again := try(func() { _ = explode.On(once)() }); !errors.As(again, &p) {
			t.Errorf("Repanic: recovered %v", again)
		}
	})
}

func TestSuddenEndsHaveTheirOwnErrors(t *testing.T) {
	overAll(t, func(t *testing.T, tg target, once delivery.Once) {
		once.Stdout, once.Stderr = io.Discard, io.Discard
		for _, c := range []struct {
			name string
			err  error
			kind box.Kind
			want string
		}{
			{"os.Exit(3)", exit.On(once)(3), box.Exited, "3"},
			{"os.Exit(0)", exit.On(once)(0), box.Exited, "0"},
			{"log.Fatal", fatal.On(once)("the end"), box.Exited, "1"},
			{"Goexit", goexit.On(once)(), box.Goexited, "Goexit"},
			{"SIGKILL", suicide.On(once)(9), box.Killed, "SIGKILL"},
			{"nil map", nilMap.On(once)(), box.Crashed, "assignment to entry in nil map"},
		} {
			if c.name == "SIGKILL" && strings.HasPrefix(tg.name, "ssh") {
				c.want = "killed" // ssh does not say by what
			}
			if kindOf(c.err) != c.kind || !strings.Contains(c.err.Error(), c.want) || strings.Contains(c.err.Error(), "EOF") {
				t.Errorf("%s: kind %v, %v; want kind %v and %q", c.name, kindOf(c.err), c.err, c.kind, c.want)
			}
		}
		var r *box.RemoteError
		if err := nilMap.On(once)(); !errors.As(err, &r) || !strings.Contains(r.Stack, "functions_test.go:") {
			t.Errorf("the crash has no stack: %+v", err)
		}
	})
}

func TestLogFatalSaysWhatItSaid(t *testing.T) {
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		for range 20 {
			var stderr bytes.Buffer
			once.Stdout, once.Stderr = io.Discard, &stderr
			if err := fatal.On(once)("the last words"); kindOf(err) != box.Exited {
				t.Fatal(err)
			}
			if !strings.Contains(stderr.String(), "the last words") {
				t.Fatalf("stderr: %q", stderr.String())
			}
		}
	})
}
