package armour

import (
	"bytes"
	"strconv"
)

// mark is a marker of the wanted block, in a line.
type mark struct {
	at, size int
	end      bool
	version  int
	nonce    Nonce
}

// find returns the first marker in line that matters: a begin marker with the right nonce, or inside a block its end.
func (s *Scanner) find(line []byte, inside bool) (m mark, found bool) {
	for at := 0; !found; at++ {
		i := bytes.Index(line[at:], s.begin)
		if i < 0 {
			break
		}
		at += i
		m, found = s.parse(line[at:])
		m.at = at
	}
	if !inside {
		return m, found
	}
	if at := bytes.Index(line, s.end); at >= 0 && (!found || at < m.at) {
		return mark{at: at, size: len(s.end), end: true}, true
	}
	return m, found
}

// parse reads a begin marker at the start of text, as far as the version and with the right nonce.
func (s *Scanner) parse(text []byte) (m mark, ok bool) {
	rest := text[len(s.begin):]
	digits, _, ok := bytes.Cut(rest[:min(len(rest), 4)], []byte(" "))
	if !ok || len(digits) == 0 {
		return m, false
	}
	version, err := strconv.ParseUint(string(digits), 10, 16)
	if err != nil {
		return m, false
	}
	rest = text[len(s.begin)+len(digits)+1:]
	const hexDigits, tail = 2 * len(Nonce{}), "====="
	if len(rest) < hexDigits+len(tail) || string(rest[hexDigits:hexDigits+len(tail)]) != tail {
		return m, false
	}
	nonce, err := ParseNonce(string(rest[:hexDigits]))
	if err != nil || s.nonce != Any && nonce != s.nonce {
		return m, false
	}
	size := len(s.begin) + len(digits) + 1 + hexDigits + len(tail)
	return mark{size: size, version: int(version), nonce: nonce}, true
}
