// Package transporttest checks that a transport keeps its promises: argv arrives byte for byte, stdin and stdout are
// clean and wait for nothing, the exit code comes back, nonsense is refused, and the text form reads back.
package transporttest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seed354a1416/deliveryboy/transport"
)

// A Runner makes the command that runs what via makes of argv. Tests of ssh give one that hands the remote command
// line to a shell.
type Runner func(t *testing.T, via transport.Transport, argv []string) *exec.Cmd

// Local runs the argv of [transport.Build] on this machine.
func Local(t *testing.T, via transport.Transport, argv []string) *exec.Cmd {
	t.Helper()
	out, err := transport.Build(via, argv)
	if err != nil {
		t.Fatalf("Build(%s): %v", via, err)
	}
	return exec.Command(out[0], out[1:]...)
}

// Run checks via. The far side must have /bin/sh, printf and cat.
func Run(t *testing.T, via transport.Transport, run Runner) {
	t.Run("argv", func(t *testing.T) { argvArrives(t, via, run) })
	t.Run("streams", func(t *testing.T) { streamsAreClean(t, via, run) })
	t.Run("at once", func(t *testing.T) { bytesPassAtOnce(t, via, run) })
	t.Run("exit", func(t *testing.T) { exitCodeReturns(t, via, run) })
	t.Run("refuses", func(t *testing.T) { refusesNonsense(t, via) })
	t.Run("pure", func(t *testing.T) { leavesArgvAlone(t, via) })
	t.Run("text", func(t *testing.T) { textReadsBack(t, via) })
}

// Words are argument words that break a careless quoting.
func Words() []string {
	words := []string{
		"", " ", "  two  spaces ", "a b", "'", "''", `"`, `\`, `\\`, `\'`, `'\''`, `\'; id #`, "$", "$$", "$HOME", "${HOME}",
		"$(id)", "`id`", "; id", "& id", "| id", "> /dev/null", "< /dev/null", "a\nb", "\n", "a\r\nb", "\t", "*", "?", "[a]",
		"{a,b}", "~", "~root", "#", "# x", "!", "!!", "-n", "--", "-", "=", "=ls", "A=b", "a%sb", "%", "%%", `\045`, `\n`,
		"(", ")", "((", "if", "é", "\xff\xfe", "\xc3", "日本", "\x01\x02", "\x7f", "a'b\"c`d$e\\f", "trailing\n", "trailing\\",
	}
	for c := 1; c < 256; c++ {
		words = append(words, string([]byte{byte(c)}), string([]byte{'a', byte(c), 'b'}))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 64 {
		word := make([]byte, random.IntN(64))
		for i := range word {
			word[i] = byte(1 + random.IntN(255))
		}
		words = append(words, string(word))
	}
	return words
}

// PrintWords is an argv that prints each of words followed by a NUL byte.
func PrintWords(words []string) []string {
	return append([]string{"/bin/sh", "-c", `printf '%s\0' "$@"`, "sh"}, words...)
}

// wordsFor are those of Words that via passes on. A transport may refuse words that are not UTF-8, and no others.
func wordsFor(t *testing.T, via transport.Transport) []string {
	all := Words()
	if _, err := via.Command(PrintWords(all)); err == nil {
		return all
	}
	var words []string
	for _, word := range all {
		_, err := via.Command(PrintWords([]string{word}))
		switch valid := utf8.ValidString(word); {
		case valid && err != nil:
			t.Errorf("%q: %v", word, err)
		case !valid && (err == nil || !strings.Contains(err.Error(), "argv[4]") || !strings.Contains(err.Error(), "UTF-8")):
			t.Errorf("%q is not UTF-8, where others are refused for that: %v", word, err)
		case valid:
			words = append(words, word)
		}
	}
	return words
}

func argvArrives(t *testing.T, via transport.Transport, run Runner) {
	words := wordsFor(t, via)
	cmd := run(t, via, PrintWords(words))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(got) != len(words) {
		t.Fatalf("%d words arrived, want %d", len(got), len(words))
	}
	for i, word := range words {
		if got[i] != word {
			t.Errorf("word %d arrived as %q, want %q", i, got[i], word)
		}
	}
}

func streamsAreClean(t *testing.T, via transport.Transport, run Runner) {
	data := make([]byte, 64<<10)
	for i := range data {
		data[i] = byte(i * 7)
	}
	cmd := run(t, via, []string{"/bin/cat"})
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, data) {
		t.Errorf("stdin did not come back on stdout: %d bytes, want %d", len(out), len(data))
	}
}

// bytesPassAtOnce has bytes without a line's end pass while more may follow: a worker's replies are such.
func bytesPassAtOnce(t *testing.T, via transport.Transport, run Runner) {
	cmd := run(t, via, []string{"/bin/cat"})
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = in.Close() }) // then they come, with the end
	got := make([]byte, 3)
	if _, err = in.Write([]byte("a\x00b")); err == nil {
		_, err = io.ReadFull(out, got)
	}
	if !late.Stop() || err != nil || string(got) != "a\x00b" {
		t.Errorf("bytes wait for more of them: %q, %v", got, err)
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func exitCodeReturns(t *testing.T, via transport.Transport, run Runner) {
	err := run(t, via, []string{"/bin/sh", "-c", "exit 7"}).Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("exit code 7 came back as %v", err)
	}
}

func refusesNonsense(t *testing.T, via transport.Transport) {
	for name, argv := range map[string][]string{
		"nil":       nil,
		"empty":     {},
		"no name":   {""},
		"no name 2": {"", "x"},
		"NUL":       {"/bin/true", "a\x00b"},
		"NUL 0":     {"/bin/true\x00"},
		"too long":  {"/bin/true", strings.Repeat("x", 1<<17)},
	} {
		if out, err := via.Command(argv); err == nil {
			t.Errorf("%s: Command gave %.80q, want an error", name, out)
		} else if !strings.Contains(err.Error(), "argv") {
			t.Errorf("%s: the error does not name argv: %v", name, err)
		}
		if _, err := transport.Build(via, argv); err == nil {
			t.Errorf("%s: Build gave no error", name)
		}
	}
}

func leavesArgvAlone(t *testing.T, via transport.Transport) {
	backing := []string{"/bin/echo", "a b", "$x", "spare"}
	argv := backing[:3]
	want := slices.Clone(backing)
	first, err := via.Command(argv)
	if err != nil {
		t.Fatal(err)
	}
	second, err := via.Command(argv)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first, second) {
		t.Errorf("two calls differ: %q and %q", first, second)
	}
	for i := range first {
		first[i] = "changed"
	}
	_ = append(first, "more")
	if !slices.Equal(backing, want) {
		t.Errorf("argv became %q, want %q", backing, want)
	}
}

func textReadsBack(t *testing.T, via transport.Transport) {
	text := via.String()
	spec, err := transport.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := spec.Via.String(); got != text {
		t.Errorf("reads back as %q, want %q", got, text)
	}
	argv := []string{"/opt/app", "__deliver"}
	want, err := via.Command(argv)
	if err != nil {
		t.Fatal(err)
	}
	got, err := spec.Via.Command(argv)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("read back it runs %q, want %q", got, want)
	}
}
