package askpass

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A seat is a program at a terminal of its own, and who answers it.
type seat struct {
	desk *Desk
	mu   sync.Mutex
	said []string // what was asked
}

func sit(t *testing.T, answers ...string) *seat {
	t.Helper()
	s := &seat{}
	s.desk = open(t, func(_ context.Context, q Question) ([]byte, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.said = append(s.said, q.Text)
		if len(s.said) > len(answers) || answers[len(s.said)-1] == "" {
			return nil, errors.New("none")
		}
		return []byte(answers[len(s.said)-1]), nil
	})
	s.desk.Admit(0)
	return s
}

func (s *seat) command(t *testing.T, script string, options ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	args := append(options, "/bin/sh", "-c", script)
	cmd := exec.CommandContext(ctx, Terminal(s.desk.Helper()), args...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// run returns what a shell's script at a terminal says on its real stdout and stderr.
func (s *seat) run(t *testing.T, in, script string, options ...string) (out, said string, err error) {
	t.Helper()
	cmd := s.command(t, script, options...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// Scripts ask as su does, at stdin and stderr, with --stdin.
const (
	hiddenAsk = `stty -echo; printf 'Пароль 密码: ' >&2; IFS= read -r x; stty echo; echo >&2; printf '%s' "$x" | od -An -tx1 -v | tr -d ' \n'`
	shownAsk  = `printf 'Code 1234-5678: ' >&2; IFS= read -r x; printf '%s' "$x"`
)

// TestAtATerminal asks with the echo off, in words of any language, and the answer arrives byte for byte.
func TestAtATerminal(t *testing.T) {
	for _, answer := range []string{"simple", "pässword with blanks ", "\x03\x04\x15\x7f\x16\x11\x13\x1a\x1c\tkeys", strings.Repeat("x", maxAnswer)} {
		s := sit(t, answer)
		out, said, err := s.run(t, "", hiddenAsk, atStdin)
		want := strings.TrimRight(strings.NewReplacer("\n", "").Replace(hexOf(answer)), " ")
		if err != nil || out != want || strings.Contains(said, answer) || len(s.said) != 1 || s.said[0] != "Пароль 密码: " {
			t.Errorf("%.20q: %v: %q, want %q, said %q, asked %q", answer, err, out, want, said, s.said)
		}
	}
}

func hexOf(s string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(digits[s[i]>>4])
		b.WriteByte(digits[s[i]&15])
	}
	return b.String()
}

// TestQuestions are put once each, with what stands before them, and where the echo is on.
func TestQuestions(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		answers []string
		asked   []string
		out     string
	}{
		"shown":      {shownAsk, []string{"a code"}, []string{"Code 1234-5678: "}, "a code"},
		"no words":   {`stty -echo; IFS= read -r x; printf '%s' "$x"`, []string{"silent"}, []string{""}, "silent"},
		"late words": {`printf 'PIN: ' >&2; stty -echo; IFS= read -r x; printf '%s' "$x"`, []string{"12"}, []string{"PIN: "}, "12"},
		"a lecture": {`printf 'Think\nbefore\n' >&2; stty -echo; printf 'Password: ' >&2; IFS= read -r x; printf '%s' "$x"`,
			[]string{"a"}, []string{"Think\nbefore\nPassword: "}, "a"},
		"two": {`stty -echo; printf 'One: ' >&2; IFS= read -r x; printf '\nTwo: ' >&2; IFS= read -r y; printf '%s' "$x$y"`,
			[]string{"a", "b"}, []string{"One: ", "Two: "}, "ab"},
		"hidden, then shown": {hiddenAsk + `; printf 'Code: ' >&2; IFS= read -r x; printf '%s' "$x"`,
			[]string{"a", "b"}, []string{"Пароль 密码: ", "Code: "}, "61b"},
		"none":                  {`echo done >&2; printf ok`, nil, nil, "ok"},
		"a line is no question": {`echo 'Password:' >&2; read -r -t 2 x </dev/tty; printf ok`, []string{"a"}, nil, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			s := sit(t, c.answers...)
			script := c.script
			if strings.Contains(script, "-t 2") {
				script = `echo 'Password:' >&2; timeout 1.5 cat >/dev/null; printf ok`
			}
			out, said, err := s.run(t, "", script, atStdin)
			if err != nil || out != c.out || strings.Join(s.said, "|") != strings.Join(c.asked, "|") {
				t.Errorf("%v: %q, said %q, asked %q", err, out, said, s.said)
			}
		})
	}
}

// TestNobodyAnswers: the terminal is hung up, and the program fails.
func TestNobodyAnswers(t *testing.T) {
	s := sit(t)
	out, said, err := s.run(t, "", hiddenAsk+`; trap '' HUP; sleep 1000`, atStdin)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || out != "" || !strings.Contains(said, "no password was given") {
		t.Errorf("%v: %q, %q", err, out, said)
	}
}

// TestStreamsPass all bytes beside the terminal: those of the worker behind su, and behind doas.
func TestStreamsPass(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	in := strings.Repeat(string(all), 1000)
	s := sit(t, "x")
	out, said, err := s.run(t, in, `stty -echo; printf 'Password: ' >&2; IFS= read -r x; exec cat <&3 2>&4 3<&- 4>&-`, atStdin)
	if err != nil || out != in || said != "Password: \n" {
		t.Errorf("%v: %d bytes, %q", err, len(out), said)
	}
	s = sit(t, "x")
	out, said, err = s.run(t, in, `exec 3<&-; stty -echo </dev/tty; printf 'Password: ' >/dev/tty; IFS= read -r x </dev/tty; echo real >&2; [ "$x" = x ] && exec cat`)
	if err != nil || out != in || said != "real\nPassword: \n" {
		t.Errorf("%v: %d bytes, %q", err, len(out), said)
	}
}

// TestEndsAsTheProgram does, and tells the last that stood there.
func TestEndsAsTheProgram(t *testing.T) {
	var exit *exec.ExitError
	_, said, err := sit(t).run(t, "", `i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i >&2; done; exit 37`, atStdin)
	if lines := strings.Split(strings.TrimSpace(said), "\n"); !errors.As(err, &exit) || exit.ExitCode() != 37 || len(lines) != maxLines || lines[0] != "line 81" {
		t.Errorf("%v: %q", err, said)
	}
	_, said, err = sit(t).run(t, "", `yes | head -c 1000000 | tr -d '\n' >&2; kill -USR1 $$`, atStdin)
	if !errors.As(err, &exit) || exit.ExitCode() != 128+int(syscall.SIGUSR1) || len(said) > maxScreen+1 {
		t.Errorf("%v: %d bytes", err, len(said))
	}
	for argv, want := range map[string]int{"/nowhere/su": exitMissing, os.DevNull: exitUnable} {
		out, err := exec.CommandContext(t.Context(), Terminal(sit(t).desk.Helper()), argv).CombinedOutput()
		if !errors.As(err, &exit) || exit.ExitCode() != want || !strings.Contains(string(out), argv) {
			t.Errorf("%s: %v %s", argv, err, out)
		}
	}
}

// TestSignals go on to the program.
func TestSignals(t *testing.T) {
	cmd := sit(t).command(t, `trap '' HUP; trap 'exit 5' TERM; echo here; while :; do sleep 0.05; done`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := out.Read(buf); string(buf[:n]) != "here\n" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 5 {
		t.Errorf("%v", err)
	}
}

// TestAnotherUserAsks: what su or doas let in is not answered, whatever it asks.
func TestAnotherUserAsks(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED, only root can become somebody else")
	}
	s := sit(t, "x")
	out, _, err := s.run(t, "", `setpriv --reuid 65534 --clear-groups sh -c 'stty -echo; printf "Password: " >&2; echo asks; IFS= read -r x; echo "got $x"' </dev/tty & sleep 2; kill $!`, atStdin)
	if !strings.HasPrefix(out, "asks\n") || strings.Contains(out, "got") || len(s.said) > 0 {
		t.Errorf("%v: %q, asked %q", err, out, s.said)
	}
}

// TestTerminalCalled makes sure that nothing else is taken for one.
func TestTerminalCalled(t *testing.T) {
	for _, c := range []struct {
		argv []string
		want bool
	}{
		{[]string{"/x/" + terminalName, "/usr/bin/doas", "--", "/app"}, true},
		{[]string{"/x/" + terminalName, atStdin, "/usr/bin/su"}, true},
		{[]string{"/x/" + terminalName, "__deliver"}, false},
		{[]string{"/x/" + terminalName}, false},
		{[]string{terminalName, "/usr/bin/su"}, false},
		{[]string{"/x/app", "/usr/bin/su"}, false},
		{nil, false},
	} {
		if got := terminalCalled(c.argv); got != c.want {
			t.Errorf("%q: %v", c.argv, got)
		}
	}
	if got := Terminal("/x/" + helperName); got != filepath.Join("/x", terminalName) {
		t.Error(got)
	}
}
