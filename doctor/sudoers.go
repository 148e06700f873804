package doctor

import (
	"slices"
	"strings"
)

// A policy is what "sudo -l" says: the settings that hold for this user, and the rules.
type policy struct {
	defaults []string
	rules    []sudoRule
}

// A sudoRule is one command that a rule allows, with its tags.
type sudoRule struct {
	tags    []string
	command string // without a digest
}

// readPolicy reads the output of "sudo -l" of sudo 1.8 and 1.9.
func readPolicy(text string) policy {
	var p policy
	part := ""
	for line := range strings.Lines(text) {
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "Matching Defaults"):
			part = "defaults"
		case strings.HasPrefix(line, "User ") && strings.HasSuffix(trimmed, ":"):
			part = "rules"
		case line != "" && line[0] != ' ' && line[0] != '\t':
			part = ""
		case part == "defaults":
			p.defaults = append(p.defaults, splitRule(trimmed)...)
		case part == "rules" && strings.HasPrefix(trimmed, "("):
			p.rules = append(p.rules, readRules(trimmed)...)
		}
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

// readRules reads one line such as "(root, www) NOPASSWD: SETENV: /a b, /c". A tag holds for the commands after it, too.
func readRules(line string) []sudoRule {
	_, rest, _ := strings.Cut(line, ")")
	var rules []sudoRule
	var tags []string
	for _, command := range splitRule(strings.TrimSpace(rest)) {
		for {
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
		rules = append(rules, sudoRule{tags, command})
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

// about reports whether a rule may be meant for a program.
func (r sudoRule) about(program string) bool {
	command, _, _ := strings.Cut(r.command, " ")
	return r.command == "ALL" || strings.ReplaceAll(command, `\`, "") == program ||
		strings.HasSuffix(command, "/") && strings.HasPrefix(program, command)
}
