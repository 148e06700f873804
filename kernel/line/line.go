// Package line is how the kernel's text protocol writes words: one command to a line, and any byte in a word.
//
// Blanks separate words. Double quotes keep blanks and know \n, \r, \t, \\, \" and \xNN; single quotes keep everything as it
// is; outside of quotes a backslash keeps the next character. Pieces without a blank between them are one word:
//
//	set greeting "hello\tworld"
//	set path 'C:\tmp'
//	make process a /bin/echo hello\ world
//
// A word {N} at the end of a line stands for the N bytes that follow the line feed; after them the line goes on. This is for
// values that are long, or for programs that do not want to quote:
//
//	set picture {4}
//	....
package line

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An Error says where a line is wrong.
type Error struct {
	Column int    // of the first byte that is wrong, from 1
	Why    string // what is wrong, and what would be right
}

func (e *Error) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Why) }

// noLiteral is what Split returns for a line that does not go on with bytes.
const noLiteral = -1

// Split splits a line, without the line feed, into words. If it ends with {N}, literal is N and the word is not among words;
// else literal is -1. Errors are of type *Error.
func Split(text string) (words []string, literal int, err error) {
	words = make([]string, 0, 4)
	for at := 0; ; {
		for at < len(text) && blank(text[at]) {
			at++
		}
		if at == len(text) {
			return words, noLiteral, nil
		}
		if n, ok := literalOf(text[at:]); ok {
			return words, n, nil
		}
		word, end, err := next(text, at)
		if err != nil {
			return nil, noLiteral, err
		}
		words, at = append(words, word), end
	}
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

// literalOf reads {N}, if that is all there is.
func literalOf(rest string) (n int, ok bool) {
	if rest[0] != '{' {
		return 0, false
	}
	digits, closed := strings.CutSuffix(strings.TrimRight(rest[1:], " \t"), "}")
	if !closed || len(digits) == 0 {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		if n < math.MaxInt/20 { // what is more is too much, however much it is; it is no word
			n = 10*n + int(digits[i]-'0')
		}
	}
	return n, true
}

// next reads the word that begins at a column.
func next(text string, at int) (word string, end int, err error) {
	for end = at; end < len(text) && plain(text[end]); end++ {
	}
	if end == len(text) || blank(text[end]) {
		return text[at:end], end, nil // most words
	}
	var b strings.Builder
	b.WriteString(text[at:end])
	for end < len(text) && !blank(text[end]) {
		switch c := text[end]; c {
		case '\\':
			if end+1 == len(text) {
				return "", 0, &Error{end + 1, `a backslash at the end of the line; write \\ for a backslash, and "\n" for a line feed`}
			}
			b.WriteByte(text[end+1])
			end += 2
		case '\'':
			n := strings.IndexByte(text[end+1:], '\'')
			if n < 0 {
				return "", 0, &Error{end + 1, "this single quote has no end"}
			}
			b.WriteString(text[end+1 : end+1+n])
			end += n + 2
		case '"':
			if end, err = quoted(&b, text, end); err != nil {
				return "", 0, err
			}
		case 0:
			return "", 0, &Error{end + 1, `a NUL byte; write it as "\x00"`}
		default:
			b.WriteByte(c)
			end++
		}
	}
	return b.String(), end, nil
}

// plain reports whether a byte stands for itself in any word.
func plain(c byte) bool {
	return c != ' ' && c != '\t' && c != '\\' && c != '\'' && c != '"' && c != 0
}

// quoted reads what is between double quotes, of which the first is at a column.
func quoted(b *strings.Builder, text string, start int) (end int, err error) {
	for at := start + 1; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			return at + 1, nil
		case c == 0:
			return 0, &Error{at + 1, `a NUL byte; write it as \x00`}
		case c != '\\':
			b.WriteByte(c)
		case at+1 < len(text) && text[at+1] == 'x':
			n, err := strconv.ParseUint(text[at+2:min(at+4, len(text))], 16, 8)
			if err != nil || at+4 > len(text) {
				return 0, &Error{at + 1, `\x needs two hexadecimal digits`}
			}
			b.WriteByte(byte(n))
			at += 3
		case at+1 < len(text):
			at++
			c, known := escapes[text[at]]
			if !known {
				return 0, &Error{at, fmt.Sprintf(`\%c is no escape; there are \n \r \t \\ \" and \xNN`, printable(text[at]))}
			}
			b.WriteByte(c)
		}
	}
	return 0, &Error{start + 1, "this double quote has no end"}
}

var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '\\': '\\', '"': '"'}

func printable(c byte) rune {
	if c < ' ' || c > '~' {
		return '?'
	}
	return rune(c)
}
