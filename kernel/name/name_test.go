package name

import (
	"slices"
	"strings"
	"testing"
)

// TestPA12Names: what may be a name, and what is said about what may not.
func TestPA12Names(t *testing.T) {
	for _, good := range []string{"a", "app.web:1_x-Y", "0", "-", "a.", strings.Repeat("n", Max)} {
		if err := Check("value", good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"": "a value requires a name", "*": "a value requires a name", ".": "must not begin with a dot", ".a": "must not begin with a dot",
		"a/b": "byte 2", "a b": "byte 2", "a\x00": "byte 2", "ü": "byte 1", "a*": "byte 2", strings.Repeat("n", Max+1): "it has 129 bytes; there may be 128",
	} {
		if err := Check("value", bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestPA13Wildcards: a star is at the end or nowhere.
func TestPA13Wildcards(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "a", true}, {"a*", "ab", true}, {"a*", "ba", false}, {"*", "x", true}, {"a.*", "a", false},
	} {
		p, err := Parse("value", c.pattern)
		if err != nil || p.Match(c.name) != c.want || p.String() != c.pattern || p.Wild() != strings.HasSuffix(c.pattern, "*") || p.All() != (c.pattern == "*") {
			t.Errorf("%s, %s: %v, %v", c.pattern, c.name, p.Match(c.name), err)
		}
	}
	for _, bad := range []string{"", "*a", "a*b", "**", ".*", "a b*"} {
		if _, err := Parse("value", bad); err == nil {
			t.Errorf("%q is a pattern", bad)
		}
	}
}

// TestSet: a set means what its patterns mean one by one.
func TestSet(t *testing.T) {
	if s := SetOf(nil); !s.Empty() || s.Match("a") || s.Has("") {
		t.Errorf("none: %+v", s)
	}
	words := []string{"a", "a*", "ab*", "aba", "b:*", "b", "b.c*", "c-*", "bb", "*"}
	names := []string{"a", "ab", "aba", "abc", "b", "b.", "b.c", "b.cd", "b:", "b:x", "bb", "bbb", "c", "c-", "c-x", "d", "A", "z"}
	for choice := 1; choice < 1<<len(words); choice++ {
		var list []Pattern
		exact := map[string]bool{}
		for i, w := range words {
			if choice&(1<<i) == 0 {
				continue
			}
			p, err := Parse("value", w)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, p)
			exact[w] = !p.Wild()
		}
		s := SetOf(list)
		for _, n := range names {
			if want := slices.ContainsFunc(list, func(p Pattern) bool { return p.Match(n) }); s.Match(n) != want || s.Has(n) != exact[n] || s.Empty() {
				t.Fatalf("%v: %s: match %v, has %v", list, n, s.Match(n), s.Has(n))
			}
		}
	}
}
