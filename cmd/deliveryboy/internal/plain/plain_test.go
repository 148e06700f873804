package plain

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, text, line string }{
		{"plain", "hello, wörld ✓ 你好", "hello, wörld ✓ 你好", "hello, wörld ✓ 你好"},
		{"line break and tab", "a\n\tb", "a\n\tb", `a\x0a\x09b`},
		{"crlf", "a\r\nb\r\r\n", "a\nb\\x0d\n", `a\x0d\x0ab\x0d\x0d\x0a`},
		{"overwrite", "good\rbad", `good\x0dbad`, `good\x0dbad`},
		{"colour", "\x1b[31mred", `\x1b[31mred`, `\x1b[31mred`},
		{"clipboard", "\x1b]52;c;aWQ=\x07", `\x1b]52;c;aWQ=\x07`, `\x1b]52;c;aWQ=\x07`},
		{"hyperlink", "\x1b]8;;http://x\x1b\\y", `\x1b]8;;http://x\x1b\y`, `\x1b]8;;http://x\x1b\y`},
		{"status string", "\x1bP$q m\x1b\\", `\x1bP$q m\x1b\`, `\x1bP$q m\x1b\`},
		{"title report", "\x1b[21t", `\x1b[21t`, `\x1b[21t`},
		{"clear", "\x1b[2J", `\x1b[2J`, `\x1b[2J`},
		{"c1 as a byte", "\x9b2J", `\x9b2J`, `\x9b2J`},
		{"c1 in utf-8", "\u009b2J", `\u{9b}2J`, `\u{9b}2J`},
		{"del and nul", "\x7f\x00", `\x7f\x00`, `\x7f\x00`},
		{"bidi override", "user\u202Etxt.exe", `user\u{202e}txt.exe`, `user\u{202e}txt.exe`},
		{"bidi isolate", "\u2066a\u2069", `\u{2066}a\u{2069}`, `\u{2066}a\u{2069}`},
		{"left-to-right mark", "\u200e", `\u{200e}`, `\u{200e}`},
		{"line separator", "a\u2028b", `a\u{2028}b`, `a\u{2028}b`},
		{"byte order mark", "\ufeffa", `\u{feff}a`, `\u{feff}a`},
		{"tag characters", "a\U000e0041", `a\u{e0041}`, `a\u{e0041}`},
		{"invalid utf-8", "a\xffb\xc3", `a\xffb\xc3`, `a\xffb\xc3`},
		{"surrogate half", "\xed\xa0\x80", `\xed\xa0\x80`, `\xed\xa0\x80`},
		{"replacement character itself", "\ufffd", "\ufffd", "\ufffd"},
		{"joined emoji", "👩\u200d🔧", "👩\u200d🔧", "👩\u200d🔧"},
		{"empty", "", "", ""},
	} {
		if got := Text(tt.in); got != tt.text {
			t.Errorf("%s: Text(%q) = %q, want %q", tt.name, tt.in, got, tt.text)
		}
		if got := Line(tt.in); got != tt.line {
			t.Errorf("%s: Line(%q) = %q, want %q", tt.name, tt.in, got, tt.line)
		}
	}
}

func TestEveryControlIsEscaped(t *testing.T) {
	t.Parallel()
	for r := rune(0); r < 0xa0; r++ {
		if r >= ' ' && r < 0x7f || r == '\n' || r == '\t' {
			continue
		}
		if got := Text(string(r)); strings.ContainsRune(got, r) {
			t.Errorf("Text(%q) = %q still holds it", r, got)
		}
	}
	for b := 0x80; b < 0x100; b++ {
		if got, want := Text(string([]byte{byte(b)})), fmt.Sprintf(`\x%02x`, b); got != want {
			t.Errorf("Text(byte %#x) = %q, want %q", b, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{
		{"short", 80, "short"},
		{"exactly", 7, "exactly"},
		{"too long", 7, "too …"},
		{"ééééé", 8, "éé…"},
		{"a\nb", 80, `a\x0ab`},
		{"abc", 1, "…"},
	} {
		if got := Cut(tt.in, tt.n); got != tt.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

// TestWriterAtEveryCut writes a text in two pieces, cut at every byte.
func TestWriterAtEveryCut(t *testing.T) {
	t.Parallel()
	const in = "a\r\nb\rc é ✓ 👩 \x1b[0m \u202e \xff\xc3\n\r"
	for cut := 0; cut <= len(in); cut++ {
		var out bytes.Buffer
		w := NewWriter(&out)
		for _, part := range []string{in[:cut], in[cut:]} {
			if n, err := w.Write([]byte(part)); err != nil || n != len(part) {
				t.Fatalf("Write = %d, %v, want %d", n, err, len(part))
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != Text(in) {
			t.Errorf("cut at %d: %q, want %q", cut, out.String(), Text(in))
		}
	}
}

func TestWriterPassesErrorsOn(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	if n, err := NewWriter(w).Write([]byte("x")); err == nil || n != 0 {
		t.Errorf("Write to a closed pipe = %d, %v, want an error", n, err)
	}
}

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if IsTerminal(null) {
		t.Error("/dev/null is taken for a terminal")
	}
	if ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		defer ptmx.Close()
		if !IsTerminal(ptmx) {
			t.Error("a pseudo-terminal is not taken for a terminal")
		}
	}
}

// FuzzText checks what a terminal must be able to rely on: nothing but graphic characters comes out, a second pass
// changes nothing, and a stream says the same as one text.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a\r\nb", "\x1b]52;c;x\x07", "\u202e", "\xff\xc3", "👩\u200d🔧", "\x9b"} {
		f.Add(s, uint8(1))
	}
	f.Fuzz(func(t *testing.T, s string, cut uint8) {
		text, line := Text(s), Line(s)
		if !utf8.ValidString(text) || !safe(text, true) || !safe(line, false) {
			t.Fatalf("unsafe: Text %q, Line %q", text, line)
		}
		if Text(text) != text || Line(line) != line {
			t.Fatalf("not idempotent: Text %q, Line %q", text, line)
		}
		var out bytes.Buffer
		w, at := NewWriter(&out), min(int(cut), len(s))
		for _, part := range []string{s[:at], s[at:]} {
			if _, err := w.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil || out.String() != text {
			t.Fatalf("stream cut at %d = %q, %v, want %q", at, out.String(), err, text)
		}
	})
}
