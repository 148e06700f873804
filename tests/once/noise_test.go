package once

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

// witness is a courier that keeps the reply.
type witness struct {
	box.Courier
	reply *box.Reply
}

func (w *witness) Deliver(ctx context.Context, b *box.Box) (r *box.Reply, err error) {
	w.reply, err = w.Courier.Deliver(ctx, b)
	return w.reply, err
}

// motd is 10 KiB of what a login may print: with newlines, without one at its end, and with markers that are not ours.
func motd() string {
	var b strings.Builder
	for i := 0; b.Len() < 10<<10; i++ {
		fmt.Fprintf(&b, "Welcome %d\r\n\n=====BEGIN HELLO 1 00000000000000000000000000000000=====\nAAAA\n=====END DELIVERY BOX=====\n", i)
	}
	return b.String() + "=====BEGIN HELLO 1 and no newline"
}

// script writes a wrapper around the worker, as a site's own transport would be.
func script(t *testing.T, body string) transport.Transport {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wrap.sh")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+body), 0o755); err != nil { //nolint:gosec // sh reads it
		t.Fatal(err)
	}
	return transport.Command{Prefix: []string{"/bin/sh", file}}
}

func TestNoiseAroundTheProtocol(t *testing.T) {
	noise := filepath.Join(t.TempDir(), "motd")
	if err := os.WriteFile(noise, []byte(motd()), 0o600); err != nil {
		t.Fatal(err)
	}
	via := script(t, fmt.Sprintf("set -x\ncat %s\necho lecture >&2\n\"$@\"\nprintf 'after the box\\nand no newline'\n", noise))
	for _, text := range []bool{false, true} {
		for _, keep := range []bool{false, true} {
			var stdout, stderr bytes.Buffer
			w := &witness{Courier: delivery.Once{Via: via, Text: text, KeepExcess: keep, Stdout: &stdout, Stderr: &stderr}}
			printNear.On(w)("the function's own\n")
			prefix := motd() + "init noise on stdout\n"
			suffix := "after the box\nand no newline"
			want := "the function's own\n"
			if keep {
				want = prefix + want + suffix
			}
			if got := stdout.String(); got != want {
				t.Errorf("text %v, keep %v: stdout has %d bytes, want %d: %.300q", text, keep, len(got), len(want), got)
			}
			if has := strings.Contains(stderr.String(), "lecture"); has != keep {
				t.Errorf("text %v, keep %v: stderr %q", text, keep, stderr.String())
			}
			if e := w.reply.Excess; string(e.Prefix) != prefix || string(e.Suffix) != suffix || !strings.Contains(string(e.Stderr), "lecture") {
				t.Errorf("text %v: excess has %d and %d bytes, want %d and %d: %q", text, len(e.Prefix), len(e.Suffix), len(prefix), len(suffix), e.Suffix)
			}
		}
	}
}

func TestATerminalInTheWay(t *testing.T) {
	if _, err := os.Stat("/usr/bin/script"); err != nil {
		t.Skip("no pty: ", err)
	}
	via := script(t, "exec /usr/bin/script -qefc \"$*\" /dev/null\n")
	var stdout, stderr bytes.Buffer
	n, err := talk.On(delivery.Once{Via: via, Stdout: &stdout, Stderr: &stderr})("hello")
	if n != 5 || err != nil {
		t.Fatalf("%d, %+v", n, err)
	}
	if got := stdout.String(); got != "hello from Go\r\nout\nno newline" {
		t.Errorf("output through a terminal: %q", got)
	}
	if got := stderr.String(); got != "err\n\x00\xff" {
		t.Errorf("errors through a terminal: %q", got)
	}
	big := bytes.Repeat([]byte("x\n\r\x03\x04"), 100_000)
	if got := echo.On(delivery.Once{Via: via})(big); !bytes.Equal(got, big) {
		t.Error("a large argument did not survive the terminal")
	}
}

func TestASudoLecture(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	lecture := filepath.Join(t.TempDir(), "lecture")
	if err := os.WriteFile(lecture, []byte("=====BEGIN HELLO\nWe trust you have received the usual lecture.\n"), 0o644); err != nil { //nolint:gosec // sudo reads it
		t.Fatal(err)
	}
	via := script(t, "cat "+lecture+" >&2; exec /usr/bin/sudo -n -- \"$@\"\n")
	got, err := whoami.On(delivery.Once{Via: via})()
	if err != nil || got.UID != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNoAnswerAtAll(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"silence":   {"exit 0\n", "transport"},
		"exit":      {"echo no such thing >&2; exit 7\n", "no such thing"},
		"text":      {"echo I am no worker; exit 1\n", "transport"},
		"not found": {"/nowhere/at/all\n", "not found"},
	} {
		_, err := whoami.On(delivery.Once{Via: script(t, c.body)})()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.HasSuffix(err.Error(), "EOF") {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}
