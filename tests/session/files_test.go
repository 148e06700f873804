package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
)

var (
	openIt = registry.RegisterSymbol(os.Open)
	manyOf = registry.Register("manyof", openMany)
)

// openMany returns one file that it opened and one that it got, and closes neither.
func openMany(name string, given *os.File) (mine, yours *os.File, size int64, err error) {
	if mine, err = os.Open(name); err != nil {
		return nil, nil, 0, err
	}
	info, err := given.Stat()
	if err != nil {
		return nil, nil, 0, err
	}
	return mine, given, info.Size(), nil
}

// TestAnOrdinaryUserReadsShadow is the promise of Wrap(os.Open, root).
func TestAnOrdinaryUserReadsShadow(t *testing.T) {
	if f, err := os.Open("/etc/shadow"); err == nil {
		f.Close()
		t.Skip("NOT TESTED: this process may read /etc/shadow itself")
	}
	st.NeedSudo(t)
	s := sudoSession(t, session.Options{})
	for name, root := range map[string]box.Courier{"session": s, "once": delivery.Once{Via: targetNamed("sudo").via, Stderr: &races}} {
		before := used(t)
		f, err := openIt.On(root)("/etc/shadow")
		if err != nil {
			t.Errorf("%s: %+v", name, err)
			continue
		}
		text, err := io.ReadAll(f)
		if err != nil || !bytes.Contains(text, []byte("root:")) {
			t.Errorf("%s: read %d bytes, %v", name, len(text), err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Errorf("%s: it is no real file: %v", name, err)
		}
		must(t, f.Close())
		if _, err := openIt.On(root)("/nowhere"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a file that is not there: %v", name, err)
		}
		before.remains(t, name)
	}
	var wrapped = delivery.Wrap(os.Open, s)
	f, err := wrapped("/etc/shadow")
	must(t, err)
	must(t, f.Close())
}

func TestOpenFilesOverSSHAreRefused(t *testing.T) {
	for _, name := range []string{"ssh", "ssh then sudo"} {
		t.Run(name, func(t *testing.T) {
			tg := targetNamed(name)
			tg.need(t)
			for kind, c := range map[string]box.Courier{"session": open(t, tg, session.Options{}), "once": delivery.Once{Via: tg.via, Stderr: &races}} {
				f, err := openIt.On(c)("/etc/hostname")
				var e *box.DeliveryError
				if f != nil || !errors.As(err, &e) || !strings.Contains(err.Error(), "io.ReadCloser") {
					t.Errorf("%s: %v, %v", kind, f, err)
				}
			}
		})
	}
}

func TestOpenFilesBothWays(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		if !tg.local {
			t.Skip("refused, see TestOpenFilesOverSSHAreRefused")
		}
		s := open(t, tg, session.Options{})
		// Once before the count: what is made at the first use is not a leak.
		for round := range 3 {
			before, held0 := used(t), heldBy(t, s)
			given, err := os.Open("/etc/hostname")
			must(t, err)
			for range 20 {
				mine, yours, size, err := manyOf.On(s)("/etc/passwd", given)
				must(t, err)
				info, err := yours.Stat()
				must(t, err)
				if info.Size() != size {
					t.Errorf("the file has %d bytes here and %d there", info.Size(), size)
				}
				must(t, errors.Join(mine.Close(), yours.Close()))
			}
			must(t, given.Close())
			if round == 0 {
				continue
			}
			before.remains(t, "files both ways")
			if now := heldBy(t, s); now.Files > held0.Files {
				t.Errorf("the worker has %d files, before there were %d", now.Files, held0.Files)
			}
		}
	})
}

func heldBy(t *testing.T, c box.Courier) Held {
	t.Helper()
	h, err := held.On(c)(false)
	must(t, err)
	return h
}

// canary must not be seen in a trace.
const canary = "canary-6f1c9e"

var whisper = registry.Register("whisper", func(_ context.Context, secret string, r io.Reader, tell func(string) string, w io.Writer) (string, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(w, secret+tell(string(b)))
	return secret, err
})

// playDebug makes a call with secrets in every place that one can travel in; its stderr is the trace.
func playDebug() int {
	s, err := delivery.Open(context.Background(), targetNamed("self").via)
	if err == nil {
		_, err = whisper.On(s)(context.Background(), canary, strings.NewReader(canary), func(s string) string { return s }, io.Discard)
		err = errors.Join(err, s.Close())
	}
	if err != nil {
		_, _ = os.Stdout.WriteString(err.Error())
		return 1
	}
	return 0
}

func TestDebugTraces(t *testing.T) {
	for _, level := range []string{"", "1", "2"} {
		var stderr bytes.Buffer
		cmd := play(t, "debug", "DELIVERYBOY_DEBUG="+level)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("level %q: %v %s\n%s", level, err, out, stderr.String())
		}
		file, err := os.ReadFile(fmt.Sprintf("%s/deliveryboy-debug-%d", os.TempDir(), cmd.Process.Pid))
		if there := err == nil; there != (level == "1") {
			t.Errorf("level %q: a file with the trace: %v", level, there)
		}
		if (stderr.Len() > 0) != (level == "2") {
			t.Errorf("level %q on stderr:\n%s", level, stderr.String())
		}
		trace := string(file) + stderr.String()
		for _, want := range []string{" call ", " callback ", " reply "} {
			if level != "" && !strings.Contains(trace, want) {
				t.Errorf("level %q has no%sframe:\n%s", level, want, trace)
			}
		}
		if strings.Contains(trace, canary) || strings.Contains(trace, fmt.Sprintf("%x", canary)) {
			t.Errorf("level %q shows what travels:\n%s", level, trace)
		}
	}
}
