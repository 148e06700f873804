package process

import (
	"fmt"
	"strings"
)

const shellPath = "/bin/sh"

// words are the words of the program, as env, whose entries are "NAME=value", expands them. A nil env expands nothing.
func (c Config) words(env []string) ([]string, error) {
	words, err := c.split()
	if err != nil {
		return nil, err
	}
	switch {
	case strings.ContainsRune(c.Program, 0):
		return nil, c.wrong("program", "it holds a NUL byte: no file has such a name")
	case c.Program != "" && c.Shell:
		return nil, c.wrong("program", "the shell is the program")
	}
	for i := range words {
		if strings.ContainsRune(words[i], 0) {
			return nil, c.wrong("argv", fmt.Sprintf("word %d holds a NUL byte: no program can be given one", i))
		}
		if c.Expand && env != nil && (!c.Shell || i > 0) {
			if words[i], err = expand(words[i], env); err != nil {
				return nil, c.wrong("expand", fmt.Sprintf("word %d: %v", i, err))
			}
		}
	}
	if !c.Shell {
		return words, nil
	}
	text := words[0]
	if len(words) > 1 {
		text = strings.TrimPrefix(text+" "+Quote(words[1:]), " ")
	}
	return []string{shellPath, "-c", text}, nil
}

// split gives the words; with Shell, the first is what the shell runs as it is.
func (c Config) split() ([]string, error) {
	words := []string{c.Cmdline}
	if !c.Shell {
		var err error
		if words, err = Split(c.Cmdline); err != nil {
			return nil, c.wrong("cmdline", err.Error())
		}
	}
	words = append(words, c.Argv...)
	if len(words) == 0 || words[0] == "" && c.Program == "" && (len(words) == 1 || !c.Shell) {
		return nil, c.wrong("cmdline", "there is no program: give cmdline, or argv")
	}
	return words, nil
}

// Split splits text into words as a POSIX shell does: at blanks and newlines; single quotes keep everything, double quotes
// all but a backslash before $, `, ", \ and a newline; a backslash keeps what follows. Nothing else is special.
func Split(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; b {
		case ' ', '\t', '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
			continue
		case '\'':
			n := strings.IndexByte(text[i+1:], '\'')
			if n < 0 {
				return nil, fmt.Errorf("the single quote at byte %d has no end", i)
			}
			word.WriteString(text[i+1 : i+1+n])
			i += n + 1
		case '"':
			n, err := quoted(&word, text[i+1:])
			if err != nil {
				return nil, fmt.Errorf("the double quote at byte %d has no end", i)
			}
			i += n
		case '\\':
			if i++; i == len(text) {
				return nil, fmt.Errorf("nothing follows the backslash at its end")
			}
			if text[i] == '\n' {
				continue
			}
			word.WriteByte(text[i])
		default:
			word.WriteByte(b)
		}
		inWord = true
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// quoted writes what is up to the next double quote, and says how many bytes that took.
func quoted(word *strings.Builder, text string) (int, error) {
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == '"':
			return i + 1, nil
		case b == '\\' && i+1 < len(text) && text[i+1] == '\n':
			i++
		case b == '\\' && i+1 < len(text) && strings.IndexByte("$`\"\\", text[i+1]) >= 0:
			i++
			word.WriteByte(text[i])
		default:
			word.WriteByte(b)
		}
	}
	return 0, fmt.Errorf("no end")
}

// Quote makes a text of words that a POSIX shell, and [Split], take apart into just these.
func Quote(words []string) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.:,@%+-") == "" {
			b.WriteString(word)
			continue
		}
		b.WriteString("'" + strings.ReplaceAll(word, "'", `'\''`) + "'")
	}
	return b.String()
}

// expand replaces $NAME, ${NAME} and $$.
func expand(word string, env []string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '$' {
			b.WriteByte(word[i])
			continue
		}
		rest := word[i+1:]
		if strings.HasPrefix(rest, "$") {
			b.WriteByte('$')
			i++
			continue
		}
		name, size := variable(rest)
		if name == "" {
			return "", fmt.Errorf("the dollar at byte %d begins no name: $$ is a dollar", i)
		}
		value, ok := lookup(env, name)
		if !ok {
			return "", fmt.Errorf("the variable %q is not set", name)
		}
		b.WriteString(value)
		i += size
	}
	return b.String(), nil
}

// variable is the name at the beginning of what follows a dollar, and how many bytes it takes.
func variable(s string) (name string, size int) {
	if strings.HasPrefix(s, "{") {
		if n := strings.IndexByte(s, '}'); n > 0 && nameLength(s[1:n]) == n-1 {
			return s[1:n], n + 1
		}
		return "", 0
	}
	n := nameLength(s)
	return s[:n], n
}

func nameLength(s string) int {
	n := 0
	for n < len(s) && (s[n] == '_' || 'a' <= s[n]|0x20 && s[n]|0x20 <= 'z' || n > 0 && '0' <= s[n] && s[n] <= '9') {
		n++
	}
	return n
}
