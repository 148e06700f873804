package wire

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A trace has a line for each frame, and nothing of what is in it.
func TestTrace(t *testing.T) {
	t.Parallel()
	const canary = "canary"
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			var wire, text bytes.Buffer
			o := Options{Trace: NewTrace(&text)}
			out := form(strings.NewReader(""), &wire, Worker, o)
			if err := out.WriteMessage(Reply, 1, [][]byte{[]byte(canary), bytes.Repeat([]byte(canary), dataSize/6)}); err != nil {
				t.Fatal(err)
			}
			if err := out.WriteFrame(Close, End, 0, []byte(canary)); err != nil {
				t.Fatal(err)
			}
			sent := text.String()
			text.Reset()
			if _, err := readAll(form(&wire, nil, Caller, o)); err == nil {
				t.Fatal("no end")
			}
			want := regexp.MustCompile(`^\[\d+\] +\d+\.\d{6} > reply flags 0 stream 1, 262164 bytes
\[\d+\] +\d+\.\d{6} > data flags 1 stream 1, 2 bytes
\[\d+\] +\d+\.\d{6} > close flags 1 stream 0, 6 bytes
$`)
			if !want.MatchString(sent) {
				t.Errorf("sent\n%s", sent)
			}
			if got := strings.ReplaceAll(text.String(), " < ", " > "); !want.MatchString(got) {
				t.Errorf("received\n%s", got)
			}
			if strings.Contains(sent+text.String(), canary) {
				t.Error("it shows what is in the frames")
			}
		})
	}
}

func TestOpenTrace(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if trace, err := openTrace(""); trace != nil || err != nil {
		t.Errorf("nothing asked for: %v, %v", trace, err)
	}
	if trace, err := openTrace("2"); err != nil || trace.w != os.Stderr {
		t.Errorf("2: %v", err)
	}
	if _, err := openTrace("yes"); err == nil || !strings.Contains(err.Error(), `DELIVERYBOY_DEBUG="yes": it is 1`) {
		t.Errorf("yes: %v", err)
	}
	trace, err := openTrace("1")
	if err != nil {
		t.Fatal(err)
	}
	f := trace.w.(*os.File)
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// Whoever can guess the number of the process cannot have the trace written to a file of their choice.
func TestTraceFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	trace, err := openTrace("1")
	if err != nil {
		t.Fatal(err)
	}
	name := trace.w.(*os.File).Name()
	trace.w.(*os.File).Close()
	if err := os.Rename(name, filepath.Join(dir, "target")); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"target", "missing"} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
		if _, err := openTrace("1"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a link to %s: %v", target, err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}
