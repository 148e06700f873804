package box

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

var updateEnvelopes = flag.Bool("update-envelopes", false, "write testdata/*.envelope anew: a change of format")

var (
	testNonce  = Nonce{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	otherNonce = Nonce{9, 8, 7}
)

func testBox() *Box {
	return &Box{
		Func:    "pkg.install",
		Args:    Values{Types: []byte("types"), Gob: []byte("gob of the arguments"), Bulk: [][]byte{{0, 1, 0xff}, bytes.Repeat([]byte("bulk"), 600)}},
		Timeout: 1500 * time.Millisecond,
		Trace:   map[string]string{"traceparent": "00-1-2-01", "tracestate": "", "a": "b"},
		After:   5,
		Streams: []LiveRef{{Slot: 1, Stream: 7}, {Slot: 2}},
	}
}

func testReply() *Reply {
	return &Reply{
		Results: Values{Gob: []byte("gob of the results"), Bulk: [][]byte{[]byte("large")}},
		Fault: &Fault{Kind: Returned, Nodes: []Node{
			{Type: "*fs.PathError", Msg: "open /x: no", Causes: []int{1}, Is: []string{"fs.ErrNotExist"}}, {Msg: "no"},
		}},
		Refusal: &Refusal{Class: "encoding", What: "arg 1", Why: "no"},
		Dropped: 99,
		Streams: []LiveRef{{Slot: 0, Stream: 1 << 31}},
		Run: Run{Host: "web1", PID: 77, UID: 33, GID: 34, Start: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
			Took: time.Second},
	}
}

func packed(t testing.TB) []byte {
	t.Helper()
	text, err := Pack(testBox(), testNonce)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var nilIsEmpty = cmpopts.EquateEmpty()

// The files are the format's contract: what they hold must be readable for ever.
func TestGoldenEnvelopes(t *testing.T) {
	golden := func(name string, pack func() ([]byte, error)) []byte {
		path := filepath.Join("testdata", name)
		if *updateEnvelopes {
			text, err := pack()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	text := golden("box.envelope", func() ([]byte, error) { return Pack(testBox(), testNonce) })
	b, _, _, err := Unpack(text, testNonce)
	if err != nil || !cmp.Equal(b, testBox()) {
		t.Errorf("box: %v\n%s", err, cmp.Diff(testBox(), b))
	}
	text = golden("reply.envelope", func() ([]byte, error) { return PackReply(testReply(), testNonce) })
	r, _, _, err := UnpackReply(text, testNonce)
	if err != nil || !cmp.Equal(r, testReply()) {
		t.Errorf("reply: %v\n%s", err, cmp.Diff(testReply(), r))
	}
}

// The envelope's outside, to the byte. Its inside is gob, whose type numbers depend on what else a program encodes.
func TestEnvelopeOutside(t *testing.T) {
	t.Parallel()
	lines := strings.Split(string(packed(t)), "\n")
	for i, want := range map[int]string{
		0:              "=====BEGIN DELIVERY BOX 1 000102030405060708090a0b0c0d0e0f=====",
		len(lines) - 2: "=====END DELIVERY BOX 1 000102030405060708090a0b0c0d0e0f=====",
		len(lines) - 1: "",
	} {
		if lines[i] != want {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
}

// Every field that can travel does: a new field of Box or Reply fails here until it is on the wire.
func TestEnvelopeCarriesEveryField(t *testing.T) {
	t.Parallel()
	near := map[string]bool{"Excess": true, "Origin": true, "Repanic": true, "Live": true, "Starts": true}
	for _, v := range []reflect.Value{reflect.ValueOf(*testBox()), reflect.ValueOf(*testReply())} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() != near[name] {
				t.Errorf("%s.%s is not in the round-trip tests", v.Type(), name)
			}
		}
	}
	r := testReply()
	r.Excess.Prefix, r.Origin.Func, r.Repanic = []byte("motd"), "x", true
	text, err := PackReply(r, testNonce)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _, err := UnpackReply(text, testNonce); err != nil || !cmp.Equal(got, testReply()) {
		t.Errorf("%v\n%s", err, cmp.Diff(testReply(), got))
	}
}

// A fault or refusal without anything in it is still one.
func TestEnvelopeKeepsEmptyFault(t *testing.T) {
	t.Parallel()
	text, err := PackReply(&Reply{Fault: &Fault{}, Refusal: &Refusal{}}, testNonce)
	if err != nil {
		t.Fatal(err)
	}
	if r, _, _, err := UnpackReply(text, testNonce); err != nil || r.Fault == nil || r.Refusal == nil {
		t.Errorf("%#v, %v", r, err)
	}
}

func TestUnpackInNoise(t *testing.T) {
	t.Parallel()
	text := string(packed(t))
	motd := strings.Repeat("=====BEGIN DELIVERY BOX 1 welcome =====\n\x00\xffAAAA\n=====END DELIVERY BOX 1 =====\r\n", 130)
	foreign := strings.ReplaceAll(text, testNonce.String(), otherNonce.String())
	for _, c := range []struct{ name, before, text, after string }{
		{"alone", "", text, ""},
		{"10 KiB motd", motd, text, motd},
		{"on the line of a prompt", "root@web1:~# ", text, "root@web1:~# "},
		{"crlf", "hi\r\n", strings.ReplaceAll(text, "\n", "\r\n"), "bye\r\n"},
		{"set -x", "+ exec app\n", strings.Replace(text, "\n", "\n+ '[' -t 0 ']'\n", 4), "+ exit\n"},
		{"wrapped at 76", "x", wrapLines(text, 76), "y"},
		{"after another call's", foreign, text, foreign},
		{"after a cut one", text[:900] + "\n", text, text[:900]},
		{"after a bad one", strings.Replace(text, "A", "B", 20), text, ""},
		{"the last of two", "one\n" + text, text, "two"},
		{"nul bytes", "\x00\x00", text, "\x00"},
	} {
		b, prefix, suffix, err := Unpack([]byte(c.before+c.text+c.after), testNonce)
		if err != nil || !cmp.Equal(b, testBox()) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if string(prefix) != c.before || string(suffix) != c.after {
			t.Errorf("%s: prefix %.200q, suffix %.200q", c.name, prefix, suffix)
		}
	}
}

func wrapLines(s string, width int) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		for line = strings.TrimSuffix(line, "\n"); len(line) > width; line = line[width:] {
			out.WriteString(line[:width] + "\n")
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

func TestUnpackErrors(t *testing.T) {
	t.Parallel()
	text := string(packed(t))
	lines := strings.SplitAfter(text, "\n")
	foreign := strings.ReplaceAll(text, testNonce.String(), otherNonce.String())
	huge := lines[0] + "AAAAABAAAAEAAAAA\n" + lines[len(lines)-2] // announces 2^28+1 bytes
	for _, c := range []struct {
		name, text string
		is         error
		says       string
	}{
		{"empty", "", ErrNoBox, "the input is empty"},
		{"blank", "\r\n \n", ErrNoBox, "the input is empty"},
		{"plain text", "sudo: a password is required\n", ErrNoBox, `no DELIVERY BOX in the input: the input is "sudo: a`},
		{"long plain text", strings.Repeat("no ", 100) + "end", ErrNoBox, "the input is 303 bytes, begins \"no no"},
		{"missing start", strings.Join(lines[1:], ""), ErrNoBox, "the begin marker is missing"},
		{"missing end", strings.Join(lines[:2], ""), io.ErrUnexpectedEOF, "the end marker is missing: got "},
		{"bad base64", strings.Replace(text, lines[2], "_"+lines[2][1:], 1), armour.ErrBase64, "at byte 1065: "},
		{"truncated", lines[0] + lines[1] + lines[len(lines)-2], armour.ErrTruncated, "got 738 of "},
		{"version 99", strings.Replace(text, " 1 ", " 99 ", 1), armour.ErrVersion, "speaks 1, not 99"},
		{"too long", huge, armour.ErrTooLong, "268435457 bytes, more than the limit of 268435456"},
		{"checksum", text[:1500] + strings.Repeat("A", 8) + text[1508:], armour.ErrChecksum, ""},
		{"another call", foreign, ErrReplay, "its nonce is " + otherNonce.String() + ", not " + testNonce.String()},
		{"a reply", strings.ReplaceAll(text, "BOX", "REPLY"), ErrNoBox, "no DELIVERY BOX"},
	} {
		b, prefix, suffix, err := Unpack([]byte(c.text), testNonce)
		var e *EncodingError
		if !errors.As(err, &e) || e.What != "envelope" || !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if b != nil || prefix != nil || suffix != nil {
			t.Errorf("%s: something came with the error", c.name)
		}
	}
}

func TestNonces(t *testing.T) {
	t.Parallel()
	text := packed(t)
	if b, _, _, err := Unpack(text, AnyNonce); err != nil || !cmp.Equal(b, testBox()) {
		t.Errorf("any nonce: %v", err)
	}
	if _, _, _, err := Unpack(text, Nonce{}); err == nil {
		t.Error("the zero nonce was accepted by Unpack")
	}
	for _, n := range []Nonce{{}, AnyNonce} {
		if _, err := Pack(testBox(), n); err == nil {
			t.Errorf("Pack accepted %s", n)
		}
	}
}

func TestPackErrors(t *testing.T) {
	t.Parallel()
	huge := make([]byte, MaxEnvelope/2) // never touched: no memory
	for name, f := range map[string]func() ([]byte, error){
		"nil box":   func() ([]byte, error) { return Pack(nil, testNonce) },
		"nil reply": func() ([]byte, error) { return PackReply(nil, testNonce) },
		"too many segments": func() ([]byte, error) {
			return Pack(&Box{Args: Values{Bulk: make([][]byte, MaxSegments-1)}}, testNonce)
		},
		"too long": func() ([]byte, error) {
			return Pack(&Box{Args: Values{Bulk: [][]byte{huge, huge}}}, testNonce)
		},
		"head too long": func() ([]byte, error) { return Pack(&Box{Func: string(huge[:maxHead])}, testNonce) },
	} {
		text, err := f()
		if e := (*EncodingError)(nil); text != nil || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSplitSegmentsErrors(t *testing.T) {
	t.Parallel()
	table := func(lengths ...uint64) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(lengths)))
		for _, n := range lengths {
			out = binary.BigEndian.AppendUint64(out, n)
		}
		return out
	}
	for says, data := range map[string][]byte{
		"got 3 bytes, want 4":          {0, 0, 0},
		"4097 of them":                 {0, 0, 0x10, 1},
		"got 5 bytes, want 8":          {0, 0, 0, 1, 0, 0, 0, 0, 0},
		"got 2 bytes, want 3":          append(table(3), 1, 2),
		"want 18446744073709551615":    append(table(^uint64(0)), 1),
		"2 bytes follow the last of 1": append(table(1), 1, 2, 3),
		"0 segments; it has 3 to 4096": table(),
		"2 segments; it has 3 to 4096": append(table(1, 0), 1),
		"reply: it announces 7 bytes":  append(table(1, 0, 0), 7),
	} {
		var text bytes.Buffer
		if err := armour.Write(&text, replyLabel, testNonce, data); err != nil {
			t.Fatal(err)
		}
		_, _, _, err := UnpackReply(text.Bytes(), testNonce)
		if e := (*EncodingError)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// A box packed and unpacked is the same box, whatever stands around it.
func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	data := rapid.SliceOfN(rapid.Byte(), 0, 3000)
	rapid.Check(t, func(t *rapid.T) {
		b := &Box{
			Func:    rapid.String().Draw(t, "func"),
			Args:    Values{Gob: data.Draw(t, "gob"), Bulk: rapid.SliceOf(data).Draw(t, "bulk")},
			Timeout: time.Duration(rapid.Int64().Draw(t, "timeout")),
			Trace:   rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "trace"),
		}
		before, after := data.Draw(t, "before"), data.Draw(t, "after")
		text, err := Pack(b, testNonce)
		if err != nil {
			t.Fatal(err)
		}
		got, prefix, suffix, err := Unpack(bytes.Join([][]byte{before, text, after}, nil), testNonce)
		if err != nil || !cmp.Equal(b, got, nilIsEmpty) {
			t.Fatalf("%v\n%s", err, cmp.Diff(b, got, nilIsEmpty))
		}
		if !bytes.Equal(prefix, before) || !bytes.Equal(suffix, after) {
			t.Fatalf("prefix %q, suffix %q", prefix, suffix)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	text, err := Pack(&Box{Func: "f", Args: Values{Gob: []byte("args")}}, testNonce)
	if err != nil {
		f.Fatal(err)
	}
	reply, err := PackReply(&Reply{Results: Values{Bulk: [][]byte{{1}}}}, testNonce)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(append([]byte("motd\r\n"), reply...))
	f.Add(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")))
	f.Add(text[:len(text)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		b, prefix, suffix, err := Unpack(data, testNonce)
		checkUnpacked(t, data, b != nil, prefix, suffix, err)
		r, prefix, suffix, err := UnpackReply(data, AnyNonce)
		checkUnpacked(t, data, r != nil, prefix, suffix, err)
	})
}

func checkUnpacked(t *testing.T, data []byte, got bool, prefix, suffix []byte, err error) {
	t.Helper()
	if e := (*EncodingError)(nil); got == (err != nil) || err != nil && !errors.As(err, &e) {
		t.Fatalf("something: %t, and %v", got, err)
	}
	if !bytes.HasPrefix(data, prefix) || !bytes.HasSuffix(data, suffix) || len(prefix)+len(suffix) > len(data) {
		t.Fatalf("prefix %q and suffix %q of %q", prefix, suffix, data)
	}
}

func BenchmarkEnvelope64MiB(b *testing.B) {
	box := &Box{Func: "f", Args: Values{Bulk: [][]byte{make([]byte, 64<<20)}}}
	var text []byte
	b.Run("pack", func(b *testing.B) {
		b.SetBytes(64 << 20)
		for b.Loop() {
			var err error
			if text, err = Pack(box, testNonce); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unpack", func(b *testing.B) {
		b.SetBytes(64 << 20)
		for b.Loop() {
			if _, _, _, err := Unpack(text, testNonce); err != nil {
				b.Fatal(err)
			}
		}
	})
}
