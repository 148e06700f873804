package main

import (
	"errors"
	"regexp"
	"strings"
)

// This file knows the grammar of sudoers(5) and judges nothing.

// A grant is one command of a user specification, before its aliases are replaced.
type grant struct {
	who, hosts []string
	runAs      string // "" means root
	noPasswd   bool
	setEnv     bool
	command    string
	file       string
	line       int
}

// sudoersFile is what was read from one file or several.
type sudoersFile struct {
	grants   []grant
	aliases  map[string][]string // by kind and name, as in "Cmnd_Alias SHELLS"
	defaults []sudoersDefault
	bad      []badLine
	steps    int // taken by expand
}

// A sudoersDefault is one parameter of a Defaults line.
type sudoersDefault struct {
	scope string // as in "Defaults:alice"; empty for all
	param string // as in "!env_reset", "secure_path=/bin"
	file  string
	line  int
}

type badLine struct {
	file string
	line int
	why  string
}

// anInclude is a line that names another file, or a directory of them.
type anInclude struct {
	path string
	dir  bool
	line int
}

// parse adds the lines of one file, and returns the includes in order.
func (s *sudoersFile) parse(file string, data []byte) []anInclude {
	var includes []anInclude
	file = plain(file) // from here on it is only shown
	for _, l := range logicalLines(data) {
		text := strings.TrimSpace(withoutComment(l.text))
		if text == "" {
			continue
		}
		if path, dir, ok := includeLine(text); ok {
			includes = append(includes, anInclude{path, dir, l.number})
			continue
		}
		if err := s.parseLine(file, l.number, text); err != nil {
			s.bad = append(s.bad, badLine{file, l.number, err.Error()})
		}
	}
	return includes
}

func (s *sudoersFile) parseLine(file string, number int, text string) error {
	if rest, ok := strings.CutPrefix(text, "Defaults"); ok && strings.ContainsAny(rest[:min(1, len(rest))], " \t@:!>") {
		return s.parseDefaults(file, number, rest)
	}
	if cut := strings.IndexAny(text, " \t"); cut > 0 && aliasKinds[text[:cut]] {
		return s.parseAliases(text[:cut], text[cut:])
	}
	grants, err := parseGrants(text)
	for _, g := range grants {
		g.file, g.line = file, number
		s.grants = append(s.grants, g)
	}
	return err
}

var aliasKinds = map[string]bool{
	"User_Alias": true, "Runas_Alias": true, "Host_Alias": true, "Cmnd_Alias": true, "Cmd_Alias": true,
}

var (
	errNoSeparator = errors.New("no '=' in it")
	errNoName      = errors.New("a name is missing")
	errNotTwoLists = errors.New("it does not begin with users and hosts")
	errParenthesis = errors.New("a parenthesis is not closed")
	errNoCommand   = errors.New("a command is missing")
)

// parseAliases reads "A = x, y : B = z", without the kind.
func (s *sudoersFile) parseAliases(kind, text string) error {
	if kind == "Cmd_Alias" {
		kind = "Cmnd_Alias"
	}
	if s.aliases == nil {
		s.aliases = map[string][]string{}
	}
	for _, definition := range splitOutside(text, ':') {
		parts := splitOutside(definition, '=')
		if len(parts) < 2 {
			return errNoSeparator
		}
		name := strings.TrimSpace(parts[0])
		if name == "" {
			return errNoName
		}
		members := strings.Join(parts[1:], "=")
		s.aliases[kind+" "+name] = trimmed(splitOutside(members, ','))
	}
	return nil
}

func (s *sudoersFile) parseDefaults(file string, number int, rest string) error {
	scope := ""
	if rest[0] != ' ' && rest[0] != '\t' {
		cut := strings.IndexAny(rest, " \t")
		if cut < 0 {
			return errNoName
		}
		scope, rest = rest[:cut], rest[cut:]
	}
	for _, param := range trimmed(splitOutside(rest, ',')) {
		s.defaults = append(s.defaults, sudoersDefault{scope, param, file, number})
	}
	return nil
}

// withoutComment cuts a comment off. A '#' before a number is a user id, and "#include" is not a comment.
func withoutComment(line string) string {
	if strings.HasPrefix(line, "#include") {
		return line
	}
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '#' && !quoted && !(i+1 < len(line) && line[i+1] >= '0' && line[i+1] <= '9'):
			return line[:i]
		}
	}
	return line
}

var includePattern = regexp.MustCompile(`^[@#]include(dir)?\s+(.*)$`)

func includeLine(text string) (path string, dir, ok bool) {
	m := includePattern.FindStringSubmatch(text)
	if m == nil {
		return "", false, false
	}
	path = strings.ReplaceAll(strings.Trim(m[2], `"`), `\ `, " ")
	return path, m[1] == "dir", true
}

// parseGrants reads "users hosts = commands : hosts = commands".
func parseGrants(text string) ([]grant, error) {
	left, rest, ok := cutOutside(text, "=")
	if !ok {
		return nil, errNoSeparator
	}
	lists := listFields(left)
	if len(lists) != 2 {
		return nil, errNotTwoLists
	}
	who := trimmed(splitOutside(lists[0], ','))
	hosts := lists[1]
	var all []grant
	for {
		commands, next, err := parseCommands(rest)
		for _, g := range commands {
			g.who, g.hosts = who, trimmed(splitOutside(hosts, ','))
			all = append(all, g)
		}
		if err != nil || next == "" {
			return all, err
		}
		if hosts, rest, ok = cutOutside(next, "="); !ok {
			return all, errNoSeparator
		}
	}
}

var (
	tagPattern    = regexp.MustCompile(`^(NO)?(EXEC|FOLLOW|INTERCEPT|LOG_INPUT|LOG_OUTPUT|MAIL|PASSWD|SETENV)\s*:\s*`)
	optionPattern = regexp.MustCompile(`^(ROLE|TYPE|PRIVS|LIMITPRIVS|TIMEOUT|NOTBEFORE|NOTAFTER|CWD|CHROOT|APPARMOR_PROFILE)\s*=\s*("[^"]*"|[^\s"]+)\s*`)
	digestPattern = regexp.MustCompile(`^sha(224|256|384|512)\s*:\s*[0-9A-Za-z+/=]+[\s,]*`)
)

// parseCommands reads a list of commands with their prefixes, each of which also holds for the commands after it. It
// stops at a ':' and returns what follows.
func parseCommands(text string) (grants []grant, next string, err error) {
	var current grant
	for {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "(") {
			end := strings.IndexByte(text, ')')
			if end < 0 {
				return grants, "", errParenthesis
			}
			current.runAs, text = strings.TrimSpace(text[1:end]), strings.TrimSpace(text[end+1:])
		}
		text = current.prefixes(text)
		end := outside(text, ",:")
		if end < 0 {
			end = len(text)
		}
		current.command = strings.TrimSpace(text[:end])
		if current.command == "" {
			return grants, "", errNoCommand
		}
		grants = append(grants, current)
		switch {
		case end == len(text):
			return grants, "", nil
		case text[end] == ':':
			return grants, text[end+1:], nil
		}
		text = text[end+1:]
	}
}

// prefixes takes options, tags and digests off, and returns the rest.
func (g *grant) prefixes(text string) string {
	for {
		if tag := tagPattern.FindStringSubmatch(text); tag != nil {
			switch on := tag[1] == ""; tag[2] {
			case "PASSWD":
				g.noPasswd = !on
			case "SETENV":
				g.setEnv = on
			}
			text = text[len(tag[0]):]
		} else if option := optionPattern.FindString(text); option != "" {
			text = text[len(option):]
		} else if digest := digestPattern.FindString(text); digest != "" {
			text = text[len(digest):]
		} else {
			return text
		}
	}
}
