package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity is how much a finding matters.
type Severity string

const (
	High Severity = "high" // somebody may take the machine over
	Warn Severity = "warn" // wrong, or one mistake away from high
	Note Severity = "note" // worth knowing
)

// A Finding is one thing that an audit has to say.
type Finding struct {
	Severity Severity
	Subject  string // the account, file, rule or socket
	Text     string // what was found
	Advice   string // what to do; empty where nothing is to be done
}

// Findings are what an audit has to say. A report embeds them.
type Findings []Finding

// perSeverity bounds the findings of an audit. It counts each severity for itself: a file that somebody filled with
// ten thousand small oddities must not push the one high finding out of the report.
const perSeverity = 200

func (f *Findings) add(s Severity, subject, text, advice string) {
	n := 0
	for _, old := range *f {
		if old.Severity == s {
			n++
		}
	}
	switch {
	case n < perSeverity:
		*f = append(*f, Finding{s, plain(subject), text, advice})
	case n == perSeverity:
		*f = append(*f, Finding{s, "…", "further findings of this severity were left out", ""})
	}
}

// All returns the findings, worst first.
func (f Findings) All() []Finding {
	sorted := slices.Clone(f)
	slices.SortStableFunc(sorted, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), strings.Compare(a.Subject, b.Subject))
	})
	return sorted
}

func rank(s Severity) int { return slices.Index([]Severity{High, Warn, Note}, s) }

// plain is text from a file, safe to print: see safe.
func plain(s string) string { return safe(s, 80) }

// safe quotes text if anything in it could move a cursor or hide, and cuts it at limit bytes.
func safe(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
		for len(s) > limit-4 && !utf8.ValidString(s) { // do not cut a rune in two
			s = s[:len(s)-1]
		}
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		s = strconv.Quote(s)
	}
	if cut {
		s += "…"
	}
	return s
}
