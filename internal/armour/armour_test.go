package armour

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

const label = "DELIVERY BOX"

var (
	nonce = Nonce{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	other = Nonce{9, 9, 9}
)

// block is one block as text.
func block(t testing.TB, label string, nonce Nonce, payload ...[]byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, label, nonce, payload...); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func scan(text string) *Scanner {
	return NewScanner(NewReader(strings.NewReader(text)), label, nonce)
}

func random(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(p)
	return p
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const want = "=====BEGIN DELIVERY BOX 1 000102030405060708090a0b0c0d0e0f=====\n" +
		"AAAAAAAAAAWvi4aqaGVsbG8=\n" +
		"=====END DELIVERY BOX 1 000102030405060708090a0b0c0d0e0f=====\n"
	if got := block(t, label, nonce, []byte("hel"), []byte("lo")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The text is what encoding/base64 makes of header and payload, in lines of 1000 characters.
func TestWriteIsBase64(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 3, 737, 738, 739, 750, 751, 5000, 300_000} {
		payload := random(n)
		head := header([][]byte{payload})
		text := base64.StdEncoding.EncodeToString(append(head[:], payload...))
		want := ""
		for ; len(text) > lineChars; text = text[lineChars:] {
			want += text[:lineChars] + "\n"
		}
		want += text + "\n"
		got := block(t, label, nonce, payload[:n/3], nil, payload[n/3:])
		_, got, _ = strings.Cut(got, "\n")
		got, _, _ = strings.Cut(got, "=====END")
		if got != want {
			t.Errorf("%d bytes: the text differs from encoding/base64", n)
		}
	}
}

// mangle is what may happen to a block on its way, without harm.
var mangle = map[string]func(text string) string{
	"as it is":        func(s string) string { return s },
	"crlf":            func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
	"crcrlf":          func(s string) string { return strings.ReplaceAll(s, "\n", "\r\r\n") },
	"blank lines":     func(s string) string { return strings.ReplaceAll(s, "\n", "\n \t\r\n\n") },
	"spaces":          func(s string) string { return strings.ReplaceAll(s, "\n", "   \n  ") },
	"set -x":          func(s string) string { return strings.ReplaceAll(s, "\n", "\n+ [ -f /etc/profile ]\n") },
	"wrapped at 76":   func(s string) string { return wrap(s, 76) },
	"wrapped at 77":   func(s string) string { return wrap(s, 77) },
	"noise on line":   func(s string) string { return "last login: today # " + s },
	"prompt after it": func(s string) string { return s + "root@host:~# " },
	"false starts": func(s string) string {
		begin, _, _ := strings.Cut(s, "\n")
		return "=====BEGIN " + begin + "\nAAAA\n" + begin[:40] + "\n" + begin + "\nAAAAAAAAAAA\n" + begin + s
	},
	"a word before the header": func(s string) string { return strings.Replace(s, "\n", "\nhello\n", 1) },
	"other blocks": func(s string) string {
		return strings.ReplaceAll(s, nonce.String(), other.String()) + strings.ReplaceAll(s, "BOX", "BAX") + s
	},
	"another end inside": func(s string) string {
		return strings.Replace(s, "\n", "\n=====END DELIVERY BOX 1 "+other.String()+"=====\n", 1)
	},
	"base64 before the end": func(s string) string {
		return strings.Replace(s, "=====END", "done\n"+strings.Repeat("A", 2000)+"\n=====END", 1)
	},
	"joined":     func(s string) string { return strings.ReplaceAll(s, "\n", "") + "\n" },
	"64 k motd":  func(s string) string { return strings.Repeat("=====BEGIN welcome =====\n", 3000) + s },
	"64 k lines": func(s string) string { return strings.Repeat("=", 200_000) + s + strings.Repeat("A", 200_000) },
	"long noise inside": func(s string) string {
		return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat("wall! ", 30_000)+"\n")
	},
}

func wrap(s string, width int) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		for line = strings.TrimSuffix(line, "\n"); len(line) > width; line = line[width:] {
			out.WriteString(line[:width] + "\n")
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

func TestScanMangled(t *testing.T) {
	t.Parallel()
	for name, f := range mangle {
		for _, n := range []int{0, 1, 2, 3, 100, 738, 739, 740, 2000, 40_000} {
			payload := random(n)
			text := f(block(t, label, nonce, payload))
			got, err := scan(text).Next(nil)
			if err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%s, %d bytes: got %d bytes, %v", name, n, len(got), err)
			}
		}
	}
}

func TestScanByteByByte(t *testing.T) {
	t.Parallel()
	payload := random(3000)
	r := iotest.OneByteReader(strings.NewReader("noise\n" + block(t, label, nonce, payload) + "rest"))
	br := NewReader(r)
	got, err := NewScanner(br, label, nonce).Next(nil)
	if err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	if rest, _ := io.ReadAll(br); string(rest) != "rest" {
		t.Errorf("left %q", rest)
	}
}

// What is not block is noise, byte for byte, and what follows the block stays in the reader.
func TestScanNoiseAndRest(t *testing.T) {
	t.Parallel()
	text := "\x00motd\r\n\nsudo: " + strings.Replace(block(t, label, nonce, []byte("one")), "\n", "\nwall: hi\r\n", 1)
	noise := new(Excess)
	br := NewReader(strings.NewReader(text + "\r\n\x00\xff"))
	s := NewScanner(br, label, nonce)
	s.Noise = noise
	got, err := s.Next(nil)
	if string(got) != "one" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if want := "\x00motd\r\n\nsudo: wall: hi\r\n"; string(noise.Kept) != want {
		t.Errorf("noise %q, want %q", noise.Kept, want)
	}
	start, end := s.Span()
	if text[start:start+10] != "=====BEGIN" || end != int64(len(text)) {
		t.Errorf("span %d to %d of %d", start, end, len(text))
	}
	if rest, _ := io.ReadAll(br); string(rest) != "\r\n\x00\xff" {
		t.Errorf("rest %q", rest)
	}
}

// flip changes one character of base64 to another.
func flip(s string, at int) string {
	c := "A"
	if s[at] == 'A' {
		c = "B"
	}
	return s[:at] + c + s[at+1:]
}

func TestScanErrors(t *testing.T) {
	t.Parallel()
	whole := block(t, label, nonce, random(2000))
	lines := strings.SplitAfter(whole, "\n")
	for _, c := range []struct {
		name, text string
		is         error
		says       string
	}{
		{"nothing", "", io.EOF, "EOF"},
		{"plain text", "hello\nworld", io.EOF, "EOF"},
		{"only the end", lines[len(lines)-2], io.EOF, "EOF"},
		{"other nonce", strings.ReplaceAll(whole, nonce.String(), other.String()), io.EOF, "EOF"},
		{"no end", strings.Join(lines[:2], ""), io.ErrUnexpectedEOF, "the end marker is missing: got 738 of 2000 bytes"},
		{"no end, no header", lines[0] + "AAAA\n", ErrUnfinished, "got 4 of the 16 characters of the header"},
		{"a line is missing", lines[0] + lines[1] + lines[3] + lines[4], ErrTruncated, "got 738 of 2000 bytes, and this line was skipped"},
		{"not base64", strings.Replace(whole, lines[2], "!"+lines[2][1:], 1), ErrBase64,
			"at byte 1065: the payload is incomplete: got 738 of 2000 bytes, and this line was skipped: \"!"},
		{"a flipped bit", flip(whole, 500), ErrChecksum, "over 2000 bytes"},
		{"the first line is lost", lines[0] + strings.Join(lines[2:], ""), ErrTruncated, "got 0 of the 16 characters"},
		{"a word of noise", lines[0] + lines[1] + "abcd\n" + strings.Join(lines[2:], ""), ErrTruncated, ""},
		{"version 99", strings.Replace(whole, " 1 ", " 99 ", 1), ErrVersion, "speaks 1, not 99"},
		{"too long", block(t, label, nonce, random(4001)), ErrTooLong, "4001 bytes, more than the limit of 4000"},
	} {
		s := scan(c.text + "\n")
		s.Max = 4000
		_, err := s.Next(nil)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		var e *Error
		if err != io.EOF && !errors.As(err, &e) {
			t.Errorf("%s: a %T", c.name, err)
		}
	}
}

// After a bad block the scanner finds the next good one.
func TestScanGoesOn(t *testing.T) {
	t.Parallel()
	good := block(t, label, nonce, []byte("good"))
	for _, bad := range []string{
		strings.Replace(good, " 1 ", " 2 ", 1),
		strings.Replace(good, "AAAA", "AAAB", 1),
		strings.Replace(good, "A", "AAAA", 1),
		strings.Replace(good, "AAA", "___", 1),
	} {
		s := scan(bad + good + good)
		if _, err := s.Next(nil); err == nil {
			t.Errorf("accepted\n%s", bad)
		}
		for range 2 {
			if got, err := s.Next(nil); string(got) != "good" || err != nil {
				t.Errorf("got %q, %v after\n%s", got, err, bad)
			}
		}
		if _, err := s.Next(nil); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
}

// A claimed length alone must not make the reader allocate it.
func TestScanClaimedLength(t *testing.T) {
	head := []byte{0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	text := block(t, label, nonce, []byte("x"))
	lines := strings.SplitAfter(text, "\n")
	text = lines[0] + base64.StdEncoding.EncodeToString(head) + "\n" + lines[2]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := scan(text)
	s.Max = 1 << 40
	_, err := s.Next(nil)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrTruncated) || grown > upFront+1<<20 {
		t.Errorf("%v, and %d bytes allocated", err, grown)
	}
}

func TestAnyNonce(t *testing.T) {
	t.Parallel()
	text := block(t, label, other, []byte("hello"))
	s := NewScanner(NewReader(strings.NewReader(text)), label, Any)
	got, err := s.Next(nil)
	if string(got) != "hello" || err != nil || s.Nonce() != other {
		t.Errorf("got %q, %v, nonce %s", got, err, s.Nonce())
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		Write(io.Discard, "box", nonce),
		Write(io.Discard, "", nonce),
		Write(io.Discard, strings.Repeat("A", 33), nonce),
		Write(io.Discard, label, Nonce{}),
		Write(io.Discard, label, Any),
		func() error {
			_, err := NewScanner(NewReader(strings.NewReader("")), label, Nonce{}).Next(nil)
			return err
		}(),
		func() error {
			_, err := NewScanner(bufio.NewReaderSize(strings.NewReader(""), 100), label, nonce).Next(nil)
			return err
		}(),
		func() error { _, err := ParseNonce("12"); return err }(),
		func() error { _, err := ParseNonce(strings.Repeat("g", 32)); return err }(),
		func() error { _, err := ParseNonce(strings.Repeat("0", 32)); return err }(),
	} {
		if err == nil || err == io.EOF {
			t.Errorf("accepted: %v", err)
		} else if !strings.HasPrefix(err.Error(), "armour: ") {
			t.Errorf("%v", err)
		}
	}
	if err := Write(failing{}, label, nonce, random(200_000)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestNonce(t *testing.T) {
	t.Parallel()
	a, b := NewNonce(), NewNonce()
	if a == b || !a.Valid() {
		t.Errorf("nonces %s and %s", a, b)
	}
	if got, err := ParseNonce(a.String()); got != a || err != nil {
		t.Errorf("%s parsed as %s, %v", a, got, err)
	}
}

func TestExcess(t *testing.T) {
	t.Parallel()
	var e Excess
	for range 3 {
		_, _ = e.Write(make([]byte, 40_000))
	}
	if len(e.Kept) != MaxExcess || e.Dropped != 120_000-MaxExcess {
		t.Errorf("kept %d, dropped %d", len(e.Kept), e.Dropped)
	}
}

// Whatever stands around a block, it is found, and the noise is what stood around it.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOfN(rapid.Byte(), 0, 4000).Draw(t, "payload")
		before := rapid.SliceOf(rapid.Byte()).Draw(t, "before")
		after := rapid.SliceOf(rapid.Byte()).Draw(t, "after")
		var text bytes.Buffer
		if err := Write(&text, label, nonce, payload); err != nil {
			t.Fatal(err)
		}
		noise := new(Excess)
		br := NewReader(io.MultiReader(bytes.NewReader(before), &text, bytes.NewReader(after)))
		s := NewScanner(br, label, nonce)
		s.Noise = noise
		got, err := s.Next(nil)
		rest, _ := io.ReadAll(br)
		if err != nil || !bytes.Equal(got, payload) || !bytes.Equal(noise.Kept, before) || !bytes.Equal(rest, after) {
			t.Fatalf("got %q, %v, noise %q, rest %q", got, err, noise.Kept, rest)
		}
	})
}

func FuzzScan(f *testing.F) {
	text := block(f, label, nonce, []byte("hello"))
	for _, mangled := range mangle {
		if s := mangled(text); len(s) < 10_000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var noise Excess
		s := NewScanner(NewReader(bytes.NewReader(text)), label, nonce)
		s.Noise, s.Max = &noise, 1<<20
		for {
			payload, err := s.Next(nil)
			start, end := s.Span()
			if start < 0 || end < start || end > int64(len(text)) || len(payload) > len(text) {
				t.Fatalf("span %d to %d, payload %d, of %d bytes", start, end, len(payload), len(text))
			}
			if err == io.EOF || errors.Is(err, ErrUnfinished) {
				break
			}
			if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
				t.Fatalf("a %T: %v", err, err)
			}
			if err == nil {
				again, err := scan(block(t, label, nonce, payload)).Next(nil)
				if err != nil || !bytes.Equal(again, payload) {
					t.Fatalf("%q came back as %q, %v", payload, again, err)
				}
			}
		}
	})
}
