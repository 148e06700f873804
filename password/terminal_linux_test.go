package password

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A pseudo is a terminal with a person before it.
type pseudo struct {
	person, tty *os.File

	mu   sync.Mutex // guards seen
	seen bytes.Buffer
}

func newPseudo(t *testing.T) *pseudo {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal can be made here: ", err)
	}
	raw, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		n, _ = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pseudo{person: person, tty: tty}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1024)
		for {
			n, err := person.Read(buf)
			if err != nil {
				return
			}
			p.mu.Lock()
			p.seen.Write(buf[:n])
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() { tty.Close(); person.Close(); <-done })
	return p
}

func (p *pseudo) shows() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

// waits returns when the prompt is shown, which is when keys no longer are.
func (p *pseudo) waits(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(p.shows(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("not shown: %q; but %q", text, p.shows())
			return
		}
	}
}

func (p *pseudo) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0 && state.Lflag&unix.ICANON != 0
}

func TestTerminal(t *testing.T) {
	for name, c := range map[string]struct {
		keys, want string
		err        error
	}{
		"plain":     {"hunter2\n", "hunter2", nil},
		"return":    {"pässwört\r", "pässwört", nil},
		"backspace": {"hxü\x7f\x7funter\x082\n", "hunte2", nil},
		"again":     {"wrong\x15right\x17\x1b[Afine\n", "[Afine", nil},
		"end":       {"no line\x04", "no line", nil},
		"none":      {"\x04", "", ErrNone},
		"empty":     {"\n", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPseudo(t)
			go func() {
				p.waits(t, "word: ")
				_, _ = p.person.WriteString(c.keys)
			}()
			s, err := askAt(t.Context(), p.tty, Prompt{Hop: "sudo=\x1b[2Jwww", Text: "Text\x1b]0;x\nPass\u202eword:"})
			if s.Reveal() != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q, %v", s.Reveal(), err)
			}
			if !p.echoes(t) {
				t.Error("the terminal is not as it was")
			}
			p.waits(t, "\n")
			if got := p.shows(); strings.ContainsAny(got, "\x1b\u202e") || c.want != "" && strings.Contains(got, c.want) {
				t.Errorf("shown: %q", got)
			}
		})
	}
}

func TestTerminalIsCancelled(t *testing.T) {
	p := newPseudo(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		p.waits(t, "Password: ")
		cancel()
	}()
	if _, err := askAt(ctx, p.tty, Prompt{Hop: "sudo"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if !p.echoes(t) {
		t.Error("the terminal is not as it was")
	}
}

// TestCtrlC reaches this process as it would have without the question.
func TestCtrlC(t *testing.T) {
	p := newPseudo(t)
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGINT)
	defer signal.Stop(got)
	go func() {
		p.waits(t, "Password: ")
		_, _ = p.person.WriteString("half\x03")
	}()
	if s, err := askAt(t.Context(), p.tty, Prompt{Hop: "sudo"}); !errors.Is(err, ErrInterrupted) || s.Reveal() != "" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
	select {
	case <-got:
	case <-time.After(10 * time.Second):
		t.Error("no signal")
	}
}
