package transport

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// separator stands between the segments of a spec.
const separator = "//"

// segments collects the "key" and "key=value" parts of a spec.
type segments []string

// add appends key, with the value if there is one.
func (s *segments) add(key, value string) {
	if value != "" {
		key += "=" + escape(value)
	}
	*s = append(*s, key)
}

// text appends key=value unless the value is empty.
func (s *segments) text(key, value string) {
	if value != "" {
		s.add(key, value)
	}
}

// entry appends "key" or "key=value", and keeps the difference between "key" and "key=".
func (s *segments) entry(entry string) {
	key, value, found := strings.Cut(entry, "=")
	if found {
		key += "=" + escape(value)
	}
	*s = append(*s, key)
}

// flag appends key if on.
func (s *segments) flag(key string, on bool) {
	if on {
		s.add(key, "")
	}
}

func (s segments) join() string { return strings.Join(s, separator) }

// escape writes a value so that unescape reads it back: a backslash before a backslash, before a slash that follows a
// slash and before a last slash; \xHH for bytes that do not print.
func escape(value string) string {
	var b strings.Builder
	for i := 0; i < len(value); {
		r, size := utf8.DecodeRuneInString(value[i:])
		switch {
		case r == '\\', r == '/' && (i+1 == len(value) || i > 0 && value[i-1] == '/'):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == utf8.RuneError && size == 1, !unicode.IsPrint(r):
			for _, c := range []byte(value[i : i+size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// unescape reads what escape wrote. The error comes with its place in text.
func unescape(text string) (value string, offset int, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		start := i
		if i++; i == len(text) {
			return "", start, fmt.Errorf(`a backslash at the end; write \\ for a backslash`)
		}
		switch text[i] {
		case '\\', '/':
			b.WriteByte(text[i])
		case 'x':
			c, ok := hexByte(text[i+1:])
			if !ok {
				return "", start, fmt.Errorf(`\x needs two hex digits, as in \x0a`)
			}
			b.WriteByte(c)
			i += 2
		default:
			return "", start, fmt.Errorf(`unknown escape \%c; there are \\, \/ and \xHH`, firstRune(text[i:]))
		}
	}
	return b.String(), 0, nil
}

func hexByte(text string) (byte, bool) {
	if len(text) < 2 {
		return 0, false
	}
	var c byte
	for i := range 2 {
		digit := strings.IndexByte("0123456789abcdef", text[i]|0x20)
		if digit < 0 {
			return 0, false
		}
		c = c<<4 | byte(digit)
	}
	return c, true
}

func firstRune(text string) rune {
	r, _ := utf8.DecodeRuneInString(text)
	if !unicode.IsPrint(r) {
		return utf8.RuneError
	}
	return r
}

// A segment is one part of a spec as it stands there.
type segment struct {
	key      string
	value    string
	hasValue bool
	offset   int // of the key in the spec
	at       int // of the value in the spec
}

// split cuts a spec at its separators and takes the escapes out of the values.
func split(text string) ([]segment, error) {
	var all []segment
	start := 0
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text):
		case text[i] == '\\':
			if i+1 < len(text) { // a lone one at the end is for unescape to refuse
				i++
			}
			continue
		case strings.HasPrefix(text[i:], "///"):
			return nil, syntaxError(text, i, `three slashes in a row; write a slash at the end of a value or after a slash as \/`)
		case !strings.HasPrefix(text[i:], separator):
			continue
		}
		seg, err := readSegment(text, start, i)
		if err != nil {
			return nil, err
		}
		all = append(all, seg)
		i++
		start = i + 1
	}
	return all, nil
}

func readSegment(text string, start, end int) (segment, error) {
	if start == end {
		return segment{}, syntaxError(text, start, `nothing between two "//" or at an end; take the "//" out`)
	}
	seg := segment{offset: start, at: start}
	raw := text[start:end]
	var value string
	seg.key, value, seg.hasValue = strings.Cut(raw, "=")
	if !seg.hasValue {
		return seg, nil
	}
	seg.at = start + len(seg.key) + 1
	plain, offset, err := unescape(value)
	if err != nil {
		return segment{}, &SyntaxError{Text: text, Offset: seg.at + offset, Err: err}
	}
	seg.value = plain
	return seg, nil
}
