//go:build linux

// Package passwords tests how sudo and ssh get the passwords that they ask for: real sudo with rules of many kinds, a real
// sshd that takes passwords, and both in a row. The tests run as an ordinary user in a private place on this machine; see
// tests/stage.
package passwords

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	if os.Getenv(roleVariable) != "" {
		os.Exit(playPerson())
	}
	st = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

// found is what a function finds around it.
type found struct {
	UID   int
	Env   []string
	Argv  []string
	Stdin string
}

var look = registry.Register("passwords.look", func() (found, error) {
	in, err := os.ReadFile("/dev/stdin")
	return found{UID: os.Getuid(), Env: os.Environ(), Argv: os.Args, Stdin: string(in)}, err
}, registry.Rules{Idempotent: true})

// echo returns what a secret holds, in reverse, so that it cannot be the caller's own.
var echo = registry.Register("passwords.echo", func(s box.Secret[string]) (box.Secret[string], error) {
	return box.NewSecret(reversed(s.Reveal())), nil
})

// A keeper of passwords gives one, and counts.
type keeper struct {
	answer func(ctx context.Context, p password.Prompt) (string, error)

	mu      sync.Mutex
	prompts []password.Prompt
}

func gives(s string) *keeper {
	return &keeper{answer: func(context.Context, password.Prompt) (string, error) { return s, nil }}
}

func (k *keeper) ask(ctx context.Context, p password.Prompt) (box.Secret[string], error) {
	k.mu.Lock()
	k.prompts = append(k.prompts, p)
	k.mu.Unlock()
	s, err := k.answer(ctx, p)
	return box.NewSecret(s), err
}

func (k *keeper) asked() []password.Prompt {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.prompts
}

// needs skips what cannot be tested here.
func needs(t *testing.T) {
	t.Helper()
	st.NeedSudo(t)
	st.NeedRoot(t)
	st.NeedPassword(t)
}

// rules sets what sudo wants of the user: defaults, and a rule that asks for a password.
func rules(t *testing.T, defaults string) {
	t.Helper()
	st.Root.SetSudoers(t, defaults+"\n"+st.User+" ALL=(root:ALL) ALL\n")
}

// reasonOf is why a call failed before its worker was there.
func reasonOf(t *testing.T, err error) (reason, hop string) {
	t.Helper()
	var lost *box.DeliveryError
	var e *box.TransportError
	if !errors.As(err, &lost) || lost.Fate != box.NotStarted || !errors.As(err, &e) {
		t.Fatalf("%+v", err)
	}
	return e.Reason, e.Hop
}

// leavesNothing fails the test if a desk is left, or a program that asks.
func leavesNothing(t *testing.T) {
	t.Helper()
	leavesNothingBut(t, "")
}

// leavesNothingButTerminals is for while su or doas run, which a terminal goes with.
func leavesNothingButTerminals(t *testing.T) {
	t.Helper()
	leavesNothingBut(t, "-terminal")
}

func leavesNothingBut(t *testing.T, but string) {
	t.Helper()
	for _, dir := range []string{os.TempDir(), "/tmp", os.Getenv("XDG_RUNTIME_DIR")} {
		if left, _ := filepath.Glob(filepath.Join(dir, "deliveryboy-ask-*")); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
	list, err := st.Root.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if but != "" && len(p.Argv) > 0 && strings.HasSuffix(p.Argv[0], but) {
			continue
		}
		if p.State != "Z" && len(p.Argv) > 1 && (strings.HasSuffix(p.Argv[0], "askpass") || strings.HasSuffix(p.Argv[0], "-terminal") || p.Argv[1] == "__ask") {
			t.Errorf("left: %q", p.Argv)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func asRoot(k *keeper) delivery.Once {
	return delivery.Once{Via: transport.Sudo{ResetTicket: true}, Ask: k.ask}
}
