package spelling

import (
	"slices"
	"strings"
	"testing"
)

func TestNear(t *testing.T) {
	known := []string{"file.read", "file.write", "host.facts", "user.lookup"}
	for word, want := range map[string][]string{
		"file.raed": {"file.read", "file.write"}, "facts": {"host.facts"}, "host.fact": {"host.facts"}, "user": {"user.lookup"},
		"zzz": nil, "": nil, strings.Repeat("x", 1<<20): nil,
	} {
		if got := Near(word, known, 2); len(want) > 0 && (len(got) == 0 || got[0] != want[0]) || len(want) == 0 && got != nil {
			t.Errorf("near %.20q: %q, want %q first", word, got, want)
		}
	}
	if got := Near("file", []string{"file.a", "file.b", "file.c"}, 2); !slices.Equal(got, []string{"file.a", "file.b"}) {
		t.Errorf("at most 2: %q", got)
	}
}
