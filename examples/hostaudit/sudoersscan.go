package main

import "strings"

// outside is the index of the first of the characters that is neither quoted nor escaped; -1 if there is none.
func outside(s, chars string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(chars, s[i]) >= 0:
			return i
		}
	}
	return -1
}

func cutOutside(s, chars string) (before, after string, ok bool) {
	i := outside(s, chars)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func splitOutside(s string, separator byte) []string {
	var parts []string
	for {
		before, after, ok := cutOutside(s, string(separator))
		parts = append(parts, before)
		if !ok {
			return parts
		}
		s = after
	}
}

// listFields splits at white space, but not around the commas of a list, nor after a '!'.
func listFields(s string) []string {
	var fields []string
	start, end := -1, 0 // of the field being read
	for at := 0; at < len(s); {
		if s[at] == ' ' || s[at] == '\t' {
			at++
			continue
		}
		joins := start >= 0 && (s[at] == ',' || s[end-1] == ',' || s[end-1] == '!')
		if start >= 0 && !joins {
			fields = append(fields, s[start:end])
		}
		if !joins {
			start = at
		}
		if end = outside(s[at:], " \t"); end < 0 {
			end = len(s) - at
		}
		end += at
		at = end
	}
	if start >= 0 {
		fields = append(fields, s[start:end])
	}
	return fields
}

func trimmed(parts []string) []string {
	var kept []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}
