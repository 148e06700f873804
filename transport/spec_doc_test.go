package transport

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestSpecPage: every key, and nothing that looks like one but is not, has its row on the page.
func TestSpecPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	known := append(keyNames(), `\\`, `\/`, `\xHH`)
	beforeExecnet, _, _ := strings.Cut(string(page), "## Different from execnet")
	for line := range strings.Lines(beforeExecnet) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		for _, key := range strings.Split(cells[1], ",") {
			rows[strings.Trim(key, " `")] = true
		}
	}
	for _, key := range known {
		if !rows[key] {
			t.Errorf("%s has no row in SPEC.md", key)
		}
		delete(rows, key)
	}
	for key := range rows {
		t.Errorf("SPEC.md has a row for %s, which does not exist", key)
	}
	for key := range foreign {
		if slices.Contains(keyNames(), key) {
			t.Errorf("advice for %s, which is a key", key)
		}
	}
}

// TestLoginSafe pins what stands in process lists and logs.
func TestLoginSafe(t *testing.T) {
	t.Parallel()
	if got := loginSafe([]string{"/opt/app", "it's ;`x`"}); len(got) != 2 {
		t.Errorf("rewritten without need: %q", got)
	}
	got := loginSafe([]string{"/opt/app", "$a%", "", "x\ny"})
	want := []string{"/bin/sh", "-c", "eval \"`printf 'exec /opt/app \\047\\044a%%\\047 \\047\\047 \\047x\\012y\\047'`\""}
	if strings.Join(got, "\x00") != strings.Join(want, "\x00") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
