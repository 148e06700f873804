package name

import (
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
	if list, err := ParseAll("value", []string{"a", "b*"}); err != nil || !Any(list, "bc") || Any(list, "c") || !Any(nil, "c") {
		t.Errorf("several: %v", err)
	}
}
