package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// A command is one of those of the protocol.
type command struct {
	words string // "list sockets"
	args  string // what follows, for the help: "NAME [KEY=VALUE…]"
	help  string // the first line alone is in the list of all
	whole bool   // the first word may not be abbreviated: it ends something
	// slow commands run beside the reading of the connection: they may wait, and end by their context when the
	// connection does. Of those that also talk, a following line is for them, see call.input.
	slow, talks bool
	pausable    bool // it may be begun again by another program: see call.resume
	run         func(ctx context.Context, c *call) error
}

// table holds all commands, by first word and second word; the second is "" for those of one word.
var table = map[string]map[string]*command{}

// register adds commands; it is for initialisation.
func register(list ...*command) {
	for _, c := range list {
		first, second, _ := strings.Cut(c.words, " ")
		if table[first] == nil {
			table[first] = map[string]*command{}
		}
		if table[first][second] != nil {
			panic("kernel: command " + c.words + " is there twice")
		}
		table[first][second] = c
	}
}

// find returns the command that words begin with, and the words after it. Each word of a command can be abbreviated; the
// first in the alphabet that fits is meant.
func find(words []string) (*command, []string, error) {
	first, ok := expand(words[0], table, func(word string) bool { return firstOf(word).whole })
	if !ok {
		return nil, nil, kernel.Errorf(kernel.Usage, `Unknown command %s; "help" lists what there is`, line.Quote(shorten(words[0])))
	}
	seconds := table[first]
	if c := seconds[""]; c != nil {
		return c, words[1:], nil
	}
	if len(words) < 2 {
		return nil, nil, kernel.Errorf(kernel.Usage, "%q must be followed by one of: %s", first, choices(seconds))
	}
	second, ok := expand(words[1], seconds, func(string) bool { return false })
	if !ok {
		return nil, nil, kernel.Errorf(kernel.Usage, "Bad %q command. The following word must be one of: %s", first, choices(seconds))
	}
	return seconds[second], words[2:], nil
}

// expand is the word that an abbreviation stands for.
func expand[V any](word string, among map[string]V, whole func(string) bool) (string, bool) {
	if _, ok := among[word]; ok {
		return word, true
	}
	if word == "" {
		return "", false
	}
	for _, w := range slices.Sorted(maps.Keys(among)) {
		if strings.HasPrefix(w, word) && !whole(w) {
			return w, true
		}
	}
	return "", false
}

func firstOf(word string) *command {
	for _, c := range table[word] {
		return c
	}
	return nil
}

func choices(seconds map[string]*command) string {
	return strings.Join(slices.Sorted(maps.Keys(seconds)), ", ")
}

// shorten keeps an error about a long word short.
func shorten(word string) string {
	if len(word) > 80 {
		return word[:80]
	}
	return word
}

// settings takes leading KEY=VALUE words off args; "--" ends them. Keys that are not known are an error that lists those
// that are; known holds keys, and beginnings of keys that end with a dot: "env.".
func settings(args []string, known ...string) (map[string]string, []string, error) {
	var found map[string]string // most commands have none
	for len(args) > 0 {
		if args[0] == "--" {
			return found, args[1:], nil
		}
		key, value, ok := strings.Cut(args[0], "=")
		if !ok || !isKey(key) {
			break
		}
		if !slices.ContainsFunc(known, func(k string) bool {
			return k == key || strings.HasSuffix(k, ".") && strings.HasPrefix(key, k) && len(key) > len(k)
		}) {
			return nil, nil, kernel.Errorf(kernel.Usage, "Unknown option %s; there are: %s", line.Quote(shorten(key)), strings.Join(known, " "))
		}
		if _, twice := found[key]; twice {
			return nil, nil, kernel.Errorf(kernel.Usage, "Option %s is there twice", key)
		}
		if found == nil {
			found = map[string]string{}
		}
		found[key], args = value, args[1:]
	}
	return found, args, nil
}

// isKey reports whether a word before an equals sign can be the name of an option.
func isKey(word string) bool {
	for i := range len(word) {
		c := word[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && ('0' <= c && c <= '9' || c == '.' || c == '_')) {
			return false
		}
	}
	return word != ""
}

// wants refuses a call that has not as many arguments as its command takes.
func (c *call) wants(least, most int) error {
	switch {
	case len(c.args) < least:
		return kernel.Errorf(kernel.Usage, "%q needs more words: %s %s", c.command.words, c.command.words, c.command.args)
	case most >= 0 && len(c.args) > most:
		return kernel.Errorf(kernel.Usage, "%q has a word too many, %s; blanks belong in quotes: %s %s",
			c.command.words, line.Quote(shorten(c.args[most])), c.command.words, c.command.args)
	}
	return nil
}

// usage is one line about a command.
func (c *command) usage() string {
	text, _, _ := strings.Cut(c.help, "\n")
	return fmt.Sprintf("%-44s %s", strings.TrimSpace(c.words+" "+c.args), text)
}
