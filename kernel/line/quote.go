package line

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote writes a word so that Split reads it back, byte for byte. What needs no quotes gets none; all that is not
// printable UTF-8 is escaped, so that it can be shown on a terminal.
func Quote(word string) string {
	if bare(word) {
		return word
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.WriteByte('"')
	for len(word) > 0 {
		r, n := utf8.DecodeRuneInString(word)
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ', r != utf8.RuneError && unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			for i := range n {
				b.WriteString(`\x`)
				b.WriteByte(hex[word[i]>>4])
				b.WriteByte(hex[word[i]&15])
			}
		}
		word = word[n:]
	}
	b.WriteByte('"')
	return b.String()
}

// bare reports whether a word can stand without quotes.
func bare(word string) bool {
	if word == "" || word[0] == '{' {
		return false
	}
	for i := range len(word) {
		if c := word[i]; c <= ' ' || c > '~' || c == '\\' || c == '\'' || c == '"' {
			return false
		}
	}
	return true
}

// Join writes words as a line, without the line feed.
func Join(words ...string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Quote(w))
	}
	return b.String()
}

// Visible is text for people with all that is not printable escaped, line feeds too. Unlike Quote it adds no quotes.
func Visible(text string) string {
	printed := true
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			printed = false
			break
		}
	}
	if printed {
		return text
	}
	q := Quote(text)
	return strings.ReplaceAll(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`), `\\`, `\`)
}
