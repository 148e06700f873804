package doctor

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
)

// TestHeard: what a worker tells is shown at a terminal, and compared with all that was told before.
func TestHeard(t *testing.T) {
	t.Parallel()
	const bad = "\x1b]0;x\a\r\n\x9b2J\u009b\u202e\xff"
	var told []Finding
	for i := range 100_000 {
		told = append(told, Finding{Hop: bad, Check: bad + fmt.Sprint(i), Severity: Severity(bad), What: bad + strings.Repeat("ä", 1<<12), Fix: bad})
	}
	var e examination
	e.add("self", heard(told)...)
	if len(e.findings) != maxFindings+1 {
		t.Errorf("%d findings", len(e.findings))
	}
	for _, f := range e.findings {
		for _, text := range []string{f.Hop, f.Check, string(f.Severity), f.What, f.Fix} {
			if len(text) > 8*maxFix || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
				t.Fatalf("%.300q", text)
			}
		}
	}
	if first := told[0]; first.Hop != bad || first.Fix != bad {
		t.Error("what was told has changed")
	}
	if f := heard([]Finding{{Check: checkAuth, Severity: Error, What: "it is so: ä", Fix: "a\\ b"}})[0]; f.What != "it is so: ä" || f.Fix != "a\\ b" || f.Severity != Error {
		t.Errorf("%+v", f)
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		" a \n b\t": "a b", "\x1b[31mred": `\x1b[31mred`, "\u202e": `\u{202e}`, "é\xff": `é\xff`,
		strings.Repeat("é", maxText): strings.Repeat("é", maxText/2) + "…",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
