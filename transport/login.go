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

func loginChanges(argv []string) bool {
	for _, word := range argv {
		if word == "" || strings.ContainsAny(word, "$\n") {
			return true
		}
	}
	return false
}
