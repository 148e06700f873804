package pool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

// maxRuleFile is how many bytes a file of rules may have.
const maxRuleFile = 64 << 10

// ReadRules reads a file of rules, one on each line:
//
//	# who        may do    what
//	user alice   command   /usr/bin/systemctl restart nginx
//	user #1001   command   /bin/ls ...
//	group ops    function  host.facts net.listeners
//
// Words are separated by blanks. A word with blanks, or that begins with a double quote, stands in double quotes, as in Go.
// What a command's words mean is said at [Rule]. Empty lines, and those that begin with #, are comments. The file, and each
// directory and link on the way to it, has to belong to root or to this user, and nobody else may be able to write to it. It
// is read once: a server that is to have other rules is started again.
func ReadRules(name string) ([]Rule, error) {
	path, err := filepath.Abs(name)
	if err == nil {
		_, _, err = pathway.Walk(filepath.Dir(path), pathway.Own)
	}
	if err != nil {
		return nil, fmt.Errorf("pool: rules %q: %w", name, err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("pool: rules: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("pool: rules: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("pool: rules %q: it is no regular file", name)
	}
	if err := pathway.Own(path, info); err != nil {
		return nil, fmt.Errorf("pool: rules %q: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxRuleFile+1))
	if err != nil {
		return nil, fmt.Errorf("pool: rules: %w", err)
	}
	rules, err := ParseRules(string(text))
	if err != nil {
		return nil, fmt.Errorf("pool: rules %q: %w", name, err)
	}
	return rules, nil
}

// ParseRules reads the text of such a file. Whether users, groups and functions are there is looked at when a server starts.
func ParseRules(text string) ([]Rule, error) {
	if len(text) > maxRuleFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxRuleFile)
	}
	var rules []Rule
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimLeft(line, " \t"); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		r, err := parseRule(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if rules = append(rules, r); len(rules) > maxRules {
			return nil, fmt.Errorf("line %d: more than %d rules", n, maxRules)
		}
	}
	return rules, nil
}

var errRule = errors.New(`write "user NAME command PROGRAM WORD…" or "user NAME function NAME…", or group instead of user`)

func parseRule(line string) (r Rule, err error) {
	words, err := splitWords(line)
	if err != nil {
		return r, err
	}
	if len(words) < 4 || words[1] == "" {
		return r, errRule
	}
	switch words[0] {
	case "user":
		r.User = words[1]
	case "group":
		r.Group = words[1]
	default:
		return r, fmt.Errorf("%.80q: %w", words[0], errRule)
	}
	switch words[2] {
	case "command":
		r.Commands = [][]string{words[3:]}
	case "function":
		r.Functions = words[3:]
	default:
		return r, fmt.Errorf("%.80q: %w", words[2], errRule)
	}
	return r, nil
}

// splitWords takes a line apart.
func splitWords(line string) (words []string, err error) {
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return words, nil
		}
		word, rest := line, ""
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("%.80q: a double quote is missing, or what is quoted is wrong", line)
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, fmt.Errorf("%.80q: %w", quoted, err)
			}
			if rest = line[len(quoted):]; rest != "" && rest[0] != ' ' && rest[0] != '\t' {
				return nil, fmt.Errorf("%.80q: a blank is missing behind what is quoted", line)
			}
		} else if i := strings.IndexAny(line, " \t"); i >= 0 {
			word, rest = line[:i], line[i:]
		}
		if strings.ContainsAny(word, "\x00\n") {
			return nil, fmt.Errorf("%.80q: a NUL byte or the end of a line is in it", word)
		}
		words, line = append(words, word), rest
	}
}
