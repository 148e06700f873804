package wire

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxHandshake is the most that the fields of a preamble or a hello may take: an environment of 1 MiB, and the rest.
const maxHandshake = 1<<20 + 64<<10

// fields writes `key "value"` lines. A key that repeats makes a list; a zero value is not written.
type fields struct{ text []byte }

func (f *fields) list(key string, values []string) {
	for _, v := range values {
		f.text = append(append(f.text, key...), ' ')
		f.text = append(strconv.AppendQuote(f.text, v), '\n')
	}
}

func (f *fields) string(key, value string) {
	if value != "" {
		f.list(key, []string{value})
	}
}

func (f *fields) number(key string, n int64) {
	if n != 0 {
		f.list(key, []string{strconv.FormatInt(n, 10)})
	}
}

func (f *fields) flag(key string, on bool) {
	if on {
		f.list(key, []string{"1"})
	}
}

// bytes returns the fields of what, if they are not too long.
func (f *fields) bytes(what string) ([]byte, error) {
	if len(f.text) > maxHandshake {
		return nil, &HandshakeError{What: what, Err: ErrLimit,
			Why: fmt.Sprintf("it takes %d bytes, more than the limit of %d", len(f.text), maxHandshake)}
	}
	return f.text, nil
}

// parsed are the fields that came. Its getters keep the first error; keys that nobody asks for are from a newer version,
// and ignored.
type parsed struct {
	what   string
	values map[string][]string
	err    error
}

// parse reads fields; the version comes first, because nothing else is known of another version.
func parse(what string, text []byte) (*parsed, error) {
	p := &parsed{what: what, values: make(map[string][]string)}
	for n, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		key, quoted, _ := strings.Cut(string(line), " ")
		value, err := strconv.Unquote(quoted)
		if err != nil || key == "" || quoted[0] != '"' {
			return nil, &HandshakeError{What: what, Why: fmt.Sprintf(`line %d is %.80q; it has the form key "value"`, n+1, line)}
		}
		p.values[key] = append(p.values[key], value)
	}
	version := p.integer("version", 0, 1<<31-1)
	if p.err == nil && version != Version {
		return nil, &VersionError{What: what, Got: int(version), Speaks: Version}
	}
	return p, p.err
}

func (p *parsed) list(key string) []string { return p.values[key] }

func (p *parsed) string(key string) string {
	switch v := p.values[key]; len(v) {
	case 0:
		return ""
	case 1:
		return v[0]
	default:
		p.fail("%d values for %q; it has one", len(v), key)
		return ""
	}
}

// integer returns a number from low to high, 0 if there is none.
func (p *parsed) integer(key string, low, high int64) int64 {
	s := p.string(key)
	if s == "" {
		return 0
	}
	return p.number(key, s, low, high)
}

func (p *parsed) flag(key string) bool { return p.integer(key, 0, 1) == 1 }

func (p *parsed) duration(key string) time.Duration {
	return time.Duration(p.integer(key, 0, math.MaxInt64))
}

func (p *parsed) number(key, s string, low, high int64) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high {
		p.fail("%s %.80q: not a number from %d to %d", key, s, low, high)
		return 0
	}
	return n
}

func (p *parsed) mode(key string) Mode {
	m := Mode(p.string(key))
	if m != Auto && m != Text && m != Binary {
		p.fail("%s %.80q: neither %q nor %q", key, string(m), Text, Binary)
	}
	return m
}

func (p *parsed) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &HandshakeError{What: p.what, Why: fmt.Sprintf(format, args...)}
	}
}
