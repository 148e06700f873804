package transport

import "strings"

// quoteCommand makes one string of argv that a POSIX shell (sh, dash, bash, ksh, zsh) splits into exactly argv again; so do
// fish, and csh where no word has a line break, see loginLine. The caller has refused NUL.
func quoteCommand(argv []string) string {
	var b strings.Builder
	for i, word := range argv {
		if i > 0 {
			b.WriteByte(' ')
		}
		// A bare first word might be a keyword, a builtin, an assignment or, as in "sh -c -x", an option.
		if plainWord(word) && (i > 0 || word[0] == '/') {
			b.WriteString(word)
			continue
		}
		quoteWord(&b, word)
	}
	return b.String()
}

// plainWord reports whether no shell treats word specially. zsh replaces a leading "=".
func plainWord(word string) bool {
	if word == "" || word[0] == '=' {
		return false
	}
	for i := range len(word) {
		if !plainByte(word[i]) {
			return false
		}
	}
	return true
}

func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("/_.=:,@%+-", c) >= 0
}

// quoteWord writes word in single quotes. A quote, a backslash and an exclamation mark stand outside them: POSIX needs that
// for the quote; fish, which reads \' inside single quotes, would otherwise see the string end elsewhere; and csh looks for
// an earlier command behind the mark.
func quoteWord(b *strings.Builder, word string) {
	b.WriteByte('\'')
	for i := range len(word) {
		switch c := word[i]; c {
		case '\'', '\\', '!':
			b.WriteString(`'\`)
			b.WriteByte(c)
			b.WriteByte('\'')
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
}
