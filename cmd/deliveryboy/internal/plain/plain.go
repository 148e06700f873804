// Package plain makes text from elsewhere safe to show to people.
//
// What a function prints, returns or fails with may come from a host that is less trusted than the terminal it is shown
// on. Control characters there can move the cursor, rename the window, write the clipboard or hide what was said; bidi
// controls can make text read in another order than it is. Everything that is not a graphic character is therefore
// shown by its number: \x1b for bytes, \u{202e} for characters.
//
// [Text] keeps line breaks and tabs, [Line] keeps neither, [Writer] is Text for a stream. What is safe already stays as
// it is, so a text may pass twice. Backslashes are not escaped: the result is for reading, not for undoing.
package plain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zeroWidthNonJoiner = '\u200c' // Persian and many Indic scripts cannot be written without these two
	zeroWidthJoiner    = '\u200d'
)

// Text makes s safe to show, and keeps its line breaks and tabs. A line that ends in CR LF ends in LF afterwards.
func Text(s string) string {
	if safe(s, true) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if strings.HasPrefix(s, "\r\n") {
			s = s[1:]
		}
		s = s[appendFirst(&b, s, true):]
	}
	return b.String()
}

// Line makes s safe to show in one line: line breaks and tabs are shown by number as well.
func Line(s string) string {
	if safe(s, false) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		s = s[appendFirst(&b, s, false):]
	}
	return b.String()
}

// Cut is Line, shortened to at most n bytes; what is missing is shown as "…".
func Cut(s string, n int) string {
	line := Line(s)
	if len(line) <= n {
		return line
	}
	end := max(n-len("…"), 0)
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + "…"
}

// safe reports whether s can be shown as it is.
func safe(s string, multiline bool) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || !shown(r, multiline) {
			return false
		}
		i += size
	}
	return true
}

// appendFirst appends the first character of s, safe to show, and returns how many bytes of s it took.
func appendFirst(b *strings.Builder, s string, multiline bool) int {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1, r < utf8.RuneSelf && !shown(r, multiline):
		fmt.Fprintf(b, `\x%02x`, s[0])
	case !shown(r, multiline):
		fmt.Fprintf(b, `\u{%x}`, r)
	default:
		b.WriteString(s[:size])
	}
	return size
}

// shown reports whether r may stand for itself.
func shown(r rune, multiline bool) bool {
	switch r {
	case '\n', '\t':
		return multiline
	case zeroWidthNonJoiner, zeroWidthJoiner:
		return true
	}
	return unicode.IsGraphic(r)
}
