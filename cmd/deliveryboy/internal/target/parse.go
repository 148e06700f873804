package target

import (
	"errors"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// section is the only table of the file.
const section = "targets"

// parse reads the text of a file, all of which has to be right.
func parse(path, text string) (Targets, error) {
	bad := func(line int, why string) (Targets, error) { return nil, &Error{File: path, Line: line, Why: why} }
	if strings.HasPrefix(text, "\ufeff") {
		return bad(1, "it begins with a byte order mark; take that out")
	}
	if before, _, found := strings.Cut(text, "\r"); found {
		return bad(1+strings.Count(before, "\n"), "a carriage return; lines end with a line feed alone")
	}
	if line, why := tangle(text); why != "" {
		return bad(line, why)
	}
	var file struct {
		Targets Targets `toml:"targets"`
	}
	meta, err := toml.Decode(text, &file)
	if err != nil {
		return bad(place(err))
	}
	if kind := meta.Type(section); kind != "" && kind != "Hash" { // or it would be as if nothing were there
		return bad(lineOf(text, toml.Key{section}), section+" is no table; write ["+section+"], and names and specs below")
	}
	for _, key := range meta.Keys() {
		if why := check(key, file.Targets); why != "" {
			return bad(lineOf(text, key), why)
		}
	}
	return file.Targets, nil
}

// What the decoder takes minutes for, and no file of targets has.
const (
	maxDepth = 64  // brackets that are open at once
	maxDots  = 200 // between two equals signs of a line
)

// tangle says where a text has more of something than a file of targets can need.
func tangle(text string) (line int, why string) {
	depth := 0
	for l := range strings.Lines(text) {
		line++
		for part := range strings.SplitSeq(l, "=") {
			if dots := strings.Count(part, "."); dots > maxDots {
				return line, "it has " + strconv.Itoa(dots) + " dots in a row of names; at most " + strconv.Itoa(maxDots) + " are allowed"
			}
			for i := range len(part) {
				switch part[i] {
				case '[', '{':
					depth++
				case ']', '}':
					depth--
				}
				if depth > maxDepth {
					return line, "more than " + strconv.Itoa(maxDepth) + " brackets are open; there is only a table " + section + ", of names and specs"
				}
			}
		}
	}
	return 0, ""
}

// check says what is wrong with one key and its value.
func check(key toml.Key, targets Targets) string {
	switch {
	case key[0] != section || len(key) > 2:
		return "unknown key " + strconv.Quote(key.String()) + "; there is only a table " + section + ", of names and specs"
	case len(key) == 1:
		return ""
	}
	if err := CheckName(key[1]); err != nil {
		return "target " + strconv.Quote(key[1]) + ": " + err.Error()
	}
	if err := CheckSpec(targets[key[1]]); err != nil {
		return "target " + strconv.Quote(key[1]) + ": " + strings.TrimPrefix(err.Error(), "transport: ")
	}
	return targets.through(key[1])
}

// place is where an error of the decoder is, and what it says. Some have their place only in their text.
func place(err error) (line int, why string) {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return parse.Position.Line, parse.Message
	}
	why = strings.TrimPrefix(err.Error(), "toml: ")
	if rest, found := strings.CutPrefix(why, "line "); found {
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if line, failed := strconv.Atoi(rest[:max(end, 0)]); failed == nil {
			return line, strings.TrimSpace(rest[end:])
		}
	}
	return 1, why
}

// lineOf is the line of a key: the decoder does not tell. Where tables and keys are written in an unusual way, it is 1.
func lineOf(text string, key toml.Key) int {
	table := ""
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(" \t\"'", r) {
				return -1
			}
			return r
		}, s)
	}
	want := plain(strings.Join(key, "."))
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if rest, is := strings.CutPrefix(line, "["); is {
			table, _, _ = strings.Cut(strings.TrimLeft(rest, "["), "]")
			table = plain(table)
			if table == want {
				return number
			}
			table += "."
			continue
		}
		if name, _, is := strings.Cut(line, "="); is && plain(table+name) == want {
			return number
		}
	}
	return 1
}
