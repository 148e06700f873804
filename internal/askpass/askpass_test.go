package askpass

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// open opens a desk whose helpers are this test binary.
func open(t *testing.T, answer Answerer) *Desk {
	t.Helper()
	d, err := Open(t.Context(), answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func says(s string) Answerer {
	return func(context.Context, Question) ([]byte, error) { return []byte(s), nil }
}

// helper runs a helper as sudo does.
func helper(t *testing.T, path, question string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, question).Output()
	return string(out), err
}

func TestHelper(t *testing.T) {
	var asked Question
	d := open(t, func(_ context.Context, q Question) ([]byte, error) {
		asked = q
		return []byte("pässword with blanks "), nil
	})
	d.Admit(os.Getpid())
	t.Setenv("SSH_ASKPASS_PROMPT", "confirm")
	out, err := helper(t, d.Helper(), "[sudo] Passwort für\nwww: ")
	if err != nil || out != "pässword with blanks \n" || asked != (Question{"[sudo] Passwort für\nwww: ", "confirm"}) {
		t.Errorf("%q, %v; %+v", out, err, asked)
	}
	if out, err := helper(t, d.Helper(), strings.Repeat("ü", 4000)); err != nil || out == "" || len(asked.Text) > maxQuestion {
		t.Errorf("a long question: %q, %v", out, err)
	}
}

// TestNoAnswer is what a helper says when it has none: nothing, and it fails.
func TestNoAnswer(t *testing.T) {
	for name, answer := range map[string]Answerer{
		"error":     func(context.Context, Question) ([]byte, error) { return []byte("x"), errors.New("no") },
		"empty":     says(""),
		"two lines": says("a\nb"),
		"too long":  says(strings.Repeat("x", maxAnswer+1)),
	} {
		d := open(t, answer)
		d.Admit(0)
		if out, err := helper(t, d.Helper(), "?"); err == nil || out != "" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	d := open(t, says(strings.Repeat("x", maxAnswer)))
	d.Admit(0)
	if out, err := helper(t, d.Helper(), "?"); err != nil || len(out) != maxAnswer+1 {
		t.Errorf("the longest: %d bytes, %v", len(out), err)
	}
}

// TestStrangers are not below the process that was started.
func TestStrangers(t *testing.T) {
	d := open(t, func(context.Context, Question) ([]byte, error) {
		t.Error("a stranger is answered")
		return []byte("x"), nil
	})
	other := exec.CommandContext(t.Context(), "sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()         //nolint:errcheck // it is killed
	defer other.Process.Kill() //nolint:errcheck // as above
	d.Admit(other.Process.Pid)
	if out, err := helper(t, d.Helper(), "?"); err == nil || out != "" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestClose ends questions that are open, also where nobody listens, and takes the directory away.
func TestClose(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	d := open(t, func(context.Context, Question) ([]byte, error) {
		close(begun)
		<-release
		return []byte("late"), nil
	})
	defer close(release)
	d.Admit(0)
	done := make(chan error, 1)
	go func() {
		out, err := helper(t, d.Helper(), "?")
		if err == nil {
			err = errors.New("answered " + out)
		} else {
			err = nil
		}
		done <- err
	}()
	<-begun
	d.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(d.Helper())); !os.IsNotExist(err) {
		t.Errorf("the directory: %v", err)
	}
}

// TestTheAskerGoes cancels the question.
func TestTheAskerGoes(t *testing.T) {
	over := make(chan struct{})
	d := open(t, func(ctx context.Context, _ Question) ([]byte, error) {
		<-ctx.Done()
		close(over)
		return nil, ctx.Err()
	})
	d.Admit(0)
	c, err := (&net.Dialer{}).DialContext(t.Context(), "unix", filepath.Join(filepath.Dir(d.Helper()), socketName))
	if err != nil {
		t.Fatal(err)
	}
	if err := send(c, "\x00?"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("the question is still open")
	}
}

// TestCalled makes sure that nothing else is taken for a helper, a worker above all.
func TestCalled(t *testing.T) {
	for _, c := range []struct {
		argv []string
		want bool
	}{
		{[]string{"/x/deliveryboy-askpass", "Password:"}, true},
		{[]string{"/x/deliveryboy-askpass", "__deliver"}, false},
		{[]string{"/x/deliveryboy-askpass"}, false},
		{[]string{"/x/deliveryboy-askpass", "a", "b"}, false},
		{[]string{"deliveryboy-askpass", "Password:"}, false},
		{[]string{"/x/app", "__deliver"}, false},
		{[]string{"/x/app", "Password:"}, false},
		{nil, false},
	} {
		if got := Called(c.argv); got != c.want {
			t.Errorf("%q: %v", c.argv, got)
		}
	}
}

// TestHelperElsewhere refuses a directory that is not private.
func TestHelperElsewhere(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err == nil {
		err = os.Symlink(program, filepath.Join(dir, helperName))
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := helper(t, filepath.Join(dir, helperName), "?"); err == nil || out != "" {
		t.Errorf("%q, %v", out, err)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// TestRelay talks to a relay over pipes, with noise before its first word.
func TestRelay(t *testing.T) {
	fromRelay, relayOut := pipe(t)
	relayIn, toRelay := pipe(t)
	ended := make(chan error, 1)
	go func() {
		_, _ = io.WriteString(relayOut, "Welcome to this host\n\n/helper =Lw==\n")
		ended <- relay(relayIn, relayOut)
		relayOut.Close()
	}()
	far, err := Reach(fromRelay, toRelay)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- far.Serve(t.Context(), func(_ context.Context, q Question) ([]byte, error) {
			if q.Text == "none" {
				return nil, errors.New("none")
			}
			return []byte("for " + q.Text), nil
		})
	}()
	for question, want := range map[string]string{"a b": "for a b\n", "none": "", "ü\n": ""} { // the last answer has two lines
		if out, _ := helper(t, far.Helper, question); out != want {
			t.Errorf("%q: %q", question, out)
		}
	}
	toRelay.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(far.Helper)); !os.IsNotExist(err) {
		t.Errorf("the directory: %v", err)
	}
}

// TestHostileRelay is a far side that says what it likes.
func TestHostileRelay(t *testing.T) {
	for name, say := range map[string]func(nonce string) string{
		"nothing":     func(string) string { return "" },
		"noise":       func(string) string { return strings.Repeat("noise\n", 20000) },
		"empty lines": func(string) string { return strings.Repeat("\n", 100000) },
		"a long line": func(string) string { return strings.Repeat("x", 100000) },
		"no helper":   func(n string) string { return n + " ask = =\n" },
		"relative":    func(n string) string { return n + " helper " + coded(helperName) + "\n" },
		"other name":  func(n string) string { return n + " helper " + coded("/bin/sh") + "\n" },
		"not encoded": func(n string) string { return n + " helper /x/" + helperName + "\n" },
		"other nonce": func(string) string { return "X helper " + coded("/x/"+helperName) + "\n" },
	} {
		in, far := pipe(t)
		farIn, out := pipe(t)
		go func() {
			buf := make([]byte, 100)
			n, _ := farIn.Read(buf)
			_, _ = io.WriteString(far, say(strings.TrimSpace(string(buf[:n]))))
			far.Close()
		}()
		if f, err := Reach(in, out); err == nil {
			t.Errorf("%s: %q", name, f.Helper)
		}
		in.Close()
	}
}
