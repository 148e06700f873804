package transport

import (
	"fmt"
	"strings"
)

// Template is for any other tool: its words, with a place for the worker's argv. [Command] is the short form of one that
// ends with {argv}.
//
//	Template{Words: []string{"crictl", "exec", "-i", "3f2a", "{argv}"}}
//	Template{Words: []string{"tsh", "ssh", "web1", "{command}"}}
//	Template{Words: []string{"wsl", "-e", "sh", "-c", "exec {command}"}, Text: true}
type Template struct {
	// Words are the tool and its arguments. The first is an absolute path or a name that Build looks up. Exactly one place
	// is among them: a word "{argv}", which stands for the words of argv as they are, or "{command}", also within a
	// word, for argv quoted once for a POSIX shell.
	Words []string
	// Text says that the tool changes bytes, such as one that makes a terminal: the wire stays in its text form. By
	// default the handshake finds out whether the way back is clean, and takes the way there to be the same.
	Text bool
}

const (
	placeArgv    = "{argv}"
	placeCommand = "{command}"
)

// Command returns the words with argv in its place.
func (t Template) Command(argv []string) ([]string, error) {
	if err := checkAll(t.check(), checkArgv(argv)); err != nil {
		return nil, err
	}
	var out []string
	for _, word := range t.Words {
		if word == placeArgv {
			out = append(out, argv...)
			continue
		}
		out = append(out, strings.Replace(word, placeCommand, quoteCommand(argv), 1))
	}
	return out, nil
}

// String is the spec form: "template=" and the words, quoted as those of "command=".
func (t Template) String() string {
	s := segments{}
	s.add("template", joinWords(t.Words))
	s.flag("text", t.Text)
	return s.join()
}

func (t Template) check() error {
	if len(t.Words) == 0 || t.Words[0] == "" {
		return fmt.Errorf("transport: template: has no program; give at least one word")
	}
	places := 0
	for i, word := range t.Words {
		if strings.IndexByte(word, 0) >= 0 {
			return invalid(fmt.Sprintf("template word %d", i), word, "contains a NUL byte, which no program can receive")
		}
		if word == placeArgv {
			places++
		} else if strings.Contains(word, placeArgv) {
			return invalid(fmt.Sprintf("template word %d", i), word, placeArgv+" must be a word of its own; "+
				placeCommand+" may stand within one")
		}
		places += strings.Count(word, placeCommand)
	}
	if places != 1 {
		return invalid("template", strings.Join(t.Words, " "), fmt.Sprintf("has %d places for the worker's argv; "+
			"write %s or %s exactly once", places, placeArgv, placeCommand))
	}
	if first := t.Words[0]; strings.Contains(first, placeArgv) || strings.Contains(first, placeCommand) {
		return invalid("template program", first, "is the place for argv; begin with a program")
	}
	return checkProgram("template program", t.Words[0])
}

func (t Template) facts() facts { return facts{gains: true, text: t.Text} }

var templateKind = kind{
	name: "template",
	begin: func(v string) (Transport, error) {
		words, err := splitWords("template", v)
		return Template{Words: words}, err
	},
	options: []option{flagOption("text", func(t *Template) *bool { return &t.Text })},
}
