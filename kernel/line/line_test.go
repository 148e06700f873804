package line

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// TestPA21Quoting: any byte can be in a word.
func TestPA21Quoting(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{``, []string{}},
		{" \t ", []string{}},
		{`a  b`, []string{"a", "b"}},
		{`"a b"c'd e'\ f`, []string{"a bcd e f"}},
		{`"" ''`, []string{"", ""}},
		{`"\n\r\t\\\"\x00\xfF"`, []string{"\n\r\t\\\"\x00\xff"}},
		{`'\n"'`, []string{`\n"`}},
		{`\\ \" \'`, []string{`\`, `"`, `'`}},
		{`C:\\ 'ends with \'`, []string{`C:\`, `ends with \`}},
		{"\xff ü", []string{"\xff", "ü"}},
		{`{x} {5 5}`, []string{"{x}", "{5", "5}"}},
		{`"{5}"`, []string{"{5}"}},
		{`{5} x`, []string{"{5}", "x"}},
	} {
		got, literal, err := Split(c.text)
		if d := cmp.Diff(c.want, got); d != "" || err != nil || literal != noLiteral {
			t.Errorf("%q: literal %d, %v (-want +got)\n%s", c.text, literal, err, d)
		}
	}
	for text, n := range map[string]int{"set a {5}": 5, "{0}": 0, "x {1999999999} ": 1999999999} {
		if _, literal, err := Split(text); literal != n || err != nil {
			t.Errorf("%q: literal %d, %v", text, literal, err)
		}
	}
	for text, column := range map[string]int{`a "b`: 3, `a 'b`: 3, `a\`: 2, `"\z"`: 2, `"\x4"`: 2, `"\x`: 2, "a\x00": 2, `"\`: 1} {
		_, _, err := Split(text)
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Column != column {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestReader: commands come as they were sent, however the bytes are cut.
func TestReader(t *testing.T) {
	const text = "one\r\ntwo {3}\na\nb\nthree {2}\nxy {1}\n\n \"z\"\n\nlast {0}\n\nopen \"\nnosuch \" {4}\n\nxx\n\nend\n"
	want := []string{"one", "two|a\nb", "three|xy|\n|z", "", "last|", "error", "error", "end"}
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text)), "halves": iotest.HalfReader(strings.NewReader(text)),
		"and an error": iotest.DataErrReader(strings.NewReader(text)),
	} {
		in := NewReader(r, nil)
		var got []string
		for {
			words, err := in.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				words = []string{"error"}
			}
			got = append(got, strings.Join(words, "|"))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
}

// TestReaderGoesOn: what was read and not understood yet can be given to another Reader, as an upgrade does.
func TestReaderGoesOn(t *testing.T) {
	const text = "set a {5}\nx\ny\nz\nget \"b c\"\n"
	for n := range len(text) {
		first := NewReader(strings.NewReader(text[:n]), nil)
		var got []string
		for {
			words, err := first.Read()
			if err != nil {
				break
			}
			got = append(got, strings.Join(words, "|"))
		}
		second := NewReader(strings.NewReader(text[n:]), slices.Clone(first.Unread()))
		for {
			words, err := second.Read()
			if err != nil {
				break
			}
			got = append(got, strings.Join(words, "|"))
		}
		if d := cmp.Diff([]string{"set|a|x\ny\nz", "get|b c"}, got); d != "" {
			t.Fatalf("cut at %d (-want +got)\n%s", n, d)
		}
	}
	if _, err := NewReader(strings.NewReader("half"), nil).Read(); err != io.ErrUnexpectedEOF {
		t.Errorf("an end in a line: %v", err)
	}
}

// TestReaderLimits: a line and a literal over the limit end it, before they are in memory.
func TestReaderLimits(t *testing.T) {
	full := strings.Repeat("x", MaxLine)
	if words, err := NewReader(strings.NewReader(full+"\n"), nil).Read(); err != nil || len(words[0]) != MaxLine {
		t.Errorf("a full line: %v", err)
	}
	endless := &counter{}
	r := NewReader(endless, nil)
	var size *SizeError
	if _, err := r.Read(); !errors.As(err, &size) || size.What != "line" || endless.n > 4*MaxLine {
		t.Errorf("a line without end: %v after %d bytes", err, endless.n)
	}
	many := strings.Repeat(full[:MaxLine-5]+" {1}\nx ", MaxLines/MaxLine) // the word after a literal begins another line
	if _, err := NewReader(strings.NewReader(many+" y\n"), nil).Read(); !errors.As(err, &size) || size.What != "lines" {
		t.Errorf("lines over the limit: %v", err)
	}
	if _, err := NewReader(strings.NewReader(many[:len(many)-MaxLine-8]+" y\n"), nil).Read(); errors.As(err, &size) {
		t.Errorf("lines within the limit: %v", err)
	}
	if _, err := NewReader(strings.NewReader("x {8388608}\n"), nil).Read(); err != io.ErrUnexpectedEOF {
		t.Errorf("a full literal: %v", err)
	}
	if _, err := NewReader(strings.NewReader("x {8388609}\n"), nil).Read(); !errors.As(err, &size) || size.What != "literal" {
		t.Errorf("a literal over the limit: %v", err)
	}
}

// counter is a source without end or line feed.
type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	c.n += len(p)
	return len(p), nil
}

// TestVisible: what is shown of others' words cannot move a cursor.
func TestVisible(t *testing.T) {
	for text, want := range map[string]string{"plain ü": "plain ü", "\x1b[2J": `\x1b[2J`, "a\nb": `a\nb`, "\xff": `\xff`, "\u202ex": `\xe2\x80\xaex`, `"q"`: `"q"`} {
		if got := Visible(text); got != want {
			t.Errorf("%q is shown as %q, not %q", text, got, want)
		}
	}
}

// FuzzQuote: what Quote writes, Split reads, and nothing in it is a control character.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a b", "\"\\'", "{5}", "\x00\xff\n", "ü\u202e"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		text := Join(a, b)
		words, literal, err := Split(text)
		if err != nil || literal != noLiteral || !slices.Equal(words, []string{a, b}) {
			t.Errorf("%q, %q as %q is read as %q, %d, %v", a, b, text, words, literal, err)
		}
		for _, r := range text {
			if r < ' ' || r == 0x7f {
				t.Errorf("%q has %q in it", text, r)
			}
		}
	})
}

// FuzzReader: the same commands come, however the bytes are cut, and never more than was sent.
func FuzzReader(f *testing.F) {
	f.Add([]byte("a b {3}\nxyz c\nd\n"))
	f.Add([]byte("\"{1}\n{1}\n\n{99}\n"))
	f.Add([]byte("{0}\n{0}\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func(r io.Reader) (all []string) {
			in := NewReader(r, nil)
			for {
				words, err := in.Read()
				var wrong *Error
				switch {
				case errors.As(err, &wrong):
					all = append(all, "error")
				case err != nil:
					return append(all, "end")
				default:
					all = append(all, strings.Join(words, "|"))
				}
			}
		}
		whole := read(strings.NewReader(string(text)))
		if d := cmp.Diff(whole, read(iotest.OneByteReader(strings.NewReader(string(text))))); d != "" {
			t.Errorf("%q (-whole +bytes)\n%s", text, d)
		}
	})
}

// TestLiteralsOfAnyLength: however many digits a length has, what follows it is not taken for commands.
func TestLiteralsOfAnyLength(t *testing.T) {
	for _, digits := range []string{"8388609", "4294967296", "99999999999", "9223372036854775807", "18446744073709551617", strings.Repeat("9", 300)} {
		var size *SizeError
		r := NewReader(strings.NewReader("set a {"+digits+"}\nremove values *\n"), nil)
		if words, err := r.Read(); !errors.As(err, &size) || size.What != "literal" {
			t.Errorf("{%s}: %q, %v", digits, words, err)
		}
	}
}
