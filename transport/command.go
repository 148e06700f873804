package transport

import (
	"fmt"
	"strings"
)

// Command puts a fixed prefix before the worker's argv, for a tool without a transport of its own that runs the rest of
// its argv as it is. Nothing is quoted, so it does not fit tools that pass their words to a shell; see [Template].
type Command struct {
	// Prefix is the tool and its options, best ended by "--" where the tool knows it. The first word is an absolute
	// path or a name that Build looks up.
	Prefix []string
}

// Command returns the prefix followed by argv.
func (c Command) Command(argv []string) ([]string, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := checkArgv(argv); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(c.Prefix)+len(argv))
	return append(append(out, c.Prefix...), argv...), nil
}

// String is the spec form: "command=" and the words, quoted with single quotes where needed.
func (c Command) String() string {
	t := segments{}
	t.add("command", joinWords(c.Prefix))
	return t.join()
}

func (c Command) check() error {
	if len(c.Prefix) == 0 || c.Prefix[0] == "" {
		return fmt.Errorf("transport: command: has no program; give at least one word")
	}
	for i, word := range c.Prefix {
		if strings.IndexByte(word, 0) >= 0 {
			return invalid(fmt.Sprintf("command word %d", i), word, "contains a NUL byte, which no program can receive")
		}
	}
	return checkProgram("command program", c.Prefix[0])
}

// joinWords writes words for splitWords: a word with spaces, quotes or unusual bytes stands in single quotes, a quote
// inside is doubled.
func joinWords(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = word
		if !plainWord(word) {
			out[i] = "'" + strings.ReplaceAll(word, "'", "''") + "'"
		}
	}
	return strings.Join(out, " ")
}

// splitWords reads words separated by spaces. The error says how far into text it was.
func splitWords(what, text string) (words []string, err error) {
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		word, n, err := cutWord(text[i:])
		if err != nil {
			return nil, fmt.Errorf("transport: %s: at byte %d of the value: %w", what, i, err)
		}
		words, i = append(words, word), i+n
	}
	return words, nil
}

// cutWord reads one word at the start of text and says how many bytes it took.
func cutWord(text string) (word string, n int, err error) {
	if text[0] != '\'' {
		end := strings.IndexAny(text, " '")
		if end < 0 {
			end = len(text)
		}
		if end < len(text) && text[end] == '\'' {
			return "", 0, fmt.Errorf("a quote inside a word; quote the whole word, and write '' for a quote in it")
		}
		return text[:end], end, nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != '\'' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		if i+1 < len(text) && text[i+1] != ' ' {
			return "", 0, fmt.Errorf("text right after the closing quote; put a space between words")
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("a single quote is not closed")
}

func (c Command) facts() facts { return facts{gains: true} }

var commandKind = kind{name: "command", begin: func(v string) (Transport, error) {
	words, err := splitWords("command", v)
	return Command{Prefix: words}, err
}}
