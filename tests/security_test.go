package tests

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestSecurityRows: the promises of SECURITY.md have numbers that rise by one, and the tests that are said to show them exist.
func TestSecurityRows(t *testing.T) {
	text, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \|.*\|([^|]*)\|$`).FindAllStringSubmatch(string(text), -1)
	if len(rows) < 50 {
		t.Fatalf("there are %d rows", len(rows))
	}
	shown := regexp.MustCompile("(?:`([a-z/]+)`)|((?:Test|Fuzz)[A-Z0-9]\\w*)|(script [a-z]+)")
	for i, row := range rows {
		if row[1] != strconv.Itoa(i+1) {
			t.Fatalf("row %s stands where %d should", row[1], i+1)
		}
		dir, found := "", 0
		for _, m := range shown.FindAllStringSubmatch(row[2], -1) {
			switch {
			case m[1] != "":
				dir = m[1]
				if _, err := os.Stat(filepath.Join("..", dir)); err != nil {
					t.Errorf("row %s: package %s is not there", row[1], dir)
				}
				continue
			case dir == "":
				t.Errorf("row %s: %s has no package before it", row[1], m[0])
			case m[3] != "":
				script := filepath.Join("..", dir, "testdata", "script", strings.TrimPrefix(m[3], "script ")+".txtar")
				if _, err := os.Stat(script); err != nil {
					t.Errorf("row %s: %v", row[1], err)
				}
			case !defined(t, dir, m[2]):
				t.Errorf("row %s: there is no %s in %s", row[1], m[2], dir)
			}
			found++
		}
		if found == 0 && dir == "" {
			t.Errorf("row %s is shown by nothing", row[1])
		}
	}
}

// defined reports whether a package has a test.
func defined(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
