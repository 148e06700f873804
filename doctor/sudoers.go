package doctor

import (
	"regexp"
	"slices"
	"strings"
)

// A policy is what "sudo -l" says: the settings that hold for this user, and the rules.
type policy struct {
	defaults []string
	bound    []boundDefaults
	rules    []sudoRule
}

// boundDefaults are settings that hold for some targets or commands only.
type boundDefaults struct {
	commands bool     // they are bound to commands, not to targets
	to       []string // which
	settings []string
}

// A sudoRule is one command that a rule allows, with its tags.
type sudoRule struct {
	runas   []string // whom it may run as
	tags    []string
	command string // without a digest and options
}

// readPolicy reads the output of "sudo -l" of sudo 1.8 and 1.9, which breaks long lines.
func readPolicy(text string) policy {
	var p policy
	var general, bound string
	var rules []string
	part := ""
	for line := range strings.Lines(text) {
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "Matching Defaults"):
			part = "defaults"
		case strings.HasPrefix(line, "Runas and Command-specific defaults"):
			part = "bound"
		case strings.HasPrefix(line, "User ") && strings.HasSuffix(trimmed, ":"):
			part = "rules"
		case line != "" && line[0] != ' ' && line[0] != '\t':
			part = ""
		case part == "defaults":
			general += " " + trimmed
		case part == "bound":
			bound += " " + trimmed
		case part == "rules" && strings.HasPrefix(trimmed, "("):
			rules = append(rules, trimmed)
		case part == "rules" && len(rules) > 0:
			rules[len(rules)-1] += " " + trimmed
		}
	}
	p.defaults, p.bound = splitRule(general), readBound(bound)
	for _, rule := range rules {
		p.rules = append(p.rules, readRules(rule)...)
	}
	return p
}

// splitRule splits at commas that are neither quoted nor escaped.
func splitRule(s string) []string {
	var parts []string
	var b strings.Builder
	quoted, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			parts = append(parts, strings.TrimSpace(b.String()))
			b.Reset()
			continue
		}
		b.WriteRune(r)
	}
	if rest := strings.TrimSpace(b.String()); rest != "" {
		parts = append(parts, rest)
	}
	return parts
}

var (
	boundStart = regexp.MustCompile(`(?:^|\s)Defaults([!>])`)
	setting    = regexp.MustCompile(`^(.*\s)?(!?[a-z_]+(?:[+-]?=.*)?)$`) // the words before it, and the setting
	option     = regexp.MustCompile(`^(?:[A-Z]+=\S+\s+)+`)               // such as CWD=/tmp
)

// readBound reads such as "Defaults!/bin/a b, /bin/c !log_output, umask=077": one line of them, which follow each other.
func readBound(text string) []boundDefaults {
	var all []boundDefaults
	starts := boundStart.FindAllStringSubmatchIndex(text, -1)
	for i, at := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		b, parts := boundDefaults{commands: text[at[2]] == '!'}, splitRule(text[at[1]:end])
		for i, part := range parts {
			words := setting.FindStringSubmatch(part)
			settings := !slices.ContainsFunc(parts[i+1:], func(s string) bool { return strings.ContainsAny(s[:min(len(s), 1)], "/A") })
			if words == nil || words[1] == "" || !settings {
				b.to = append(b.to, part)
				continue
			}
			b.to = append(b.to, strings.TrimSpace(words[1]))
			b.settings = append([]string{words[2]}, parts[i+1:]...)
			break
		}
		all = append(all, b)
	}
	return all
}

// readRules reads one line such as "(root, www) NOPASSWD: SETENV: /a b, /c". A tag holds for the commands after it, too.
func readRules(line string) []sudoRule {
	who, rest, _ := strings.Cut(line, ")")
	who, _, _ = strings.Cut(strings.TrimPrefix(who, "("), ":")
	runas := splitRule(who)
	var rules []sudoRule
	var tags []string
	for _, command := range splitRule(strings.TrimSpace(rest)) {
		for {
			command = option.ReplaceAllString(command, "")
			word, after, found := strings.Cut(command, ":")
			if !found || word == "" || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" {
				break
			}
			tags, command = append(slices.Clone(tags), word), strings.TrimSpace(after)
		}
		if strings.HasPrefix(command, "sha") {
			if _, after, found := strings.Cut(command, " "); found {
				command = strings.TrimSpace(after)
			}
		}
		rules = append(rules, sudoRule{runas, tags, command})
	}
	return rules
}

// has reports whether the last word about a tag is that it is set.
func (r sudoRule) has(tag, unset string) bool {
	return slices.Index(r.tags, tag) >= 0 && lastIndex(r.tags, tag) > lastIndex(r.tags, unset)
}

func lastIndex(list []string, what string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == what {
			return i
		}
	}
	return -1
}
