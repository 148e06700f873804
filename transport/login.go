package transport

import (
	"fmt"
	"strings"
)

// loginSafe rewrites argv where "sudo -i" would change it.
//
// sudo -i joins the words with spaces, puts a backslash before each byte except letters, digits, '_', '-' and '$', and
// gives the string to the login shell. So '$' is expanded, an empty word vanishes, and a newline becomes a line
// continuation (measured with 1.9.13p3). All other bytes survive. The rewritten words avoid the three: backquotes and
// printf in a second shell rebuild the command line, quoted as for ssh.
func loginSafe(argv []string) []string {
	if !loginChanges(argv) {
		return argv
	}
	var b strings.Builder
	b.WriteString("eval \"`printf '")
	line := "exec " + quoteCommand(argv)
	for i := range len(line) {
		switch c := line[i]; {
		case c == '%':
			b.WriteString("%%") // printf may read \045 as a directive
		case plainByte(c), c == ' ':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	b.WriteString("'`\"")
	return []string{"/bin/sh", "-c", b.String()}
}

// loginLine makes one string of argv for a login shell, which may be csh: to that a line break ends a command also within
// quotes, and what follows it is run as the next one. So none is in the string: another byte stands for it, which the words
// do not have, and a second shell puts it back.
func loginLine(argv []string) string {
	line := quoteCommand(argv)
	if !strings.Contains(line, "\n") {
		return line
	}
	other := missingByte(line)
	if other == "" {
		return quoteCommand(loginSafe(argv)) // longer, by more with each further shell
	}
	return quoteCommand([]string{"/bin/sh", "-c",
		`n="$(printf "\012x")"; IFS=` + other + `; set -f; set -- $0; IFS=${n%x}; eval "exec $*"`,
		strings.ReplaceAll(line, "\n", other)})
}

// missingByte is a control byte that a text does not have, and that no shell splits words at; empty if there is none.
func missingByte(text string) string {
	for c := byte(1); c < ' '; c++ {
		if c != '\t' && c != '\n' && c != '\r' && strings.IndexByte(text, c) < 0 {
			return string(c)
		}
	}
	return ""
}

func loginChanges(argv []string) bool {
	for _, word := range argv {
		if word == "" || strings.ContainsAny(word, "$\n") {
			return true
		}
	}
	return false
}
