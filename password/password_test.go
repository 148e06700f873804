package password

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

func TestFixed(t *testing.T) {
	mine := box.NewSecret("pw")
	ask := Fixed(mine)
	for range 2 {
		s, err := ask(t.Context(), Prompt{})
		if err != nil || s.Reveal() != "pw" {
			t.Errorf("%q, %v", s.Reveal(), err)
		}
		s.Wipe()
	}
}

func TestReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("first\n\nthird " + strings.Repeat("x", 1017) + "\n" + strings.Repeat("y", 1024) + "\nlast"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	ask := Reader(r)
	for _, want := range []string{"first", "", "third " + strings.Repeat("x", 1017), "!more than 1023", "", "last", "!there is none"} {
		s, err := ask(t.Context(), Prompt{})
		if why, bad := strings.CutPrefix(want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%q, %v; want %q", s.Reveal(), err, why)
			}
		} else if err != nil || s.Reveal() != want {
			t.Errorf("%q, %v; want %q", s.Reveal(), err, want)
		}
	}
}

// TestReaderIsCancelled while it waits for a line, and reads the next one.
func TestReaderIsCancelled(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ask := Reader(r)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, Prompt{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, err := w.WriteString("later\n"); err != nil {
		t.Fatal(err)
	}
	if s, err := ask(t.Context(), Prompt{}); err != nil || s.Reveal() != "later" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
}

func TestCommand(t *testing.T) {
	script := filepath.Join(t.TempDir(), "keyring")
	text := "#!/bin/sh\ncase $1 in\nfine) echo pw; echo more;;\nfails) echo locked >&2; exit 3;;\nempty) ;;\nslow) exec sleep 1000;;\nlong) head -c 5000 /dev/zero | tr '\\0' x;;\nesac\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]string{"fine": "", "fails": "locked", "empty": "there is none", "slow": "deadline", "long": "more than 1023"} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if how == "slow" {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		}
		s, err := Command(script, how)(ctx, Prompt{})
		cancel()
		if want == "" && (err != nil || s.Reveal() != "pw") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %q, %v", how, s.Reveal(), err)
		}
	}
	if _, err := Command("keyring")(t.Context(), Prompt{}); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Error(err)
	}
}
