package pool_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/pool"
)

const goodRules = `
# who        may do    what
user alice   command   /usr/bin/systemctl restart nginx
  group #42	command	/bin/ls ...
user bob     command   /bin/echo "two words" "" "a\tb" plain"quote
user bob     function  pid title
`

func TestParseRules(t *testing.T) {
	got, err := pool.ParseRules(goodRules)
	must(t, err)
	want := []pool.Rule{
		{User: "alice", Commands: [][]string{{"/usr/bin/systemctl", "restart", "nginx"}}},
		{Group: "#42", Commands: [][]string{{"/bin/ls", pool.More}}},
		{User: "bob", Commands: [][]string{{"/bin/echo", "two words", "", "a\tb", `plain"quote`}}},
		{User: "bob", Functions: []string{"pid", "title"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	for text, why := range map[string]string{
		"user alice":                                "line 1: write",
		"\n\nalice command /bin/ls":                 "line 3: write",
		"user alice commands /bin/ls":               `"commands": write`,
		"owner alice command /bin/ls":               `"owner": write`,
		`user "" command /bin/ls`:                   "line 1: write",
		`user a command "/bin/ls`:                   "double quote is missing",
		`user a command "/bin/ls"x`:                 "a blank is missing",
		`user a command /bin/ls "\x00"`:             "NUL byte",
		`user a command "/bin/ls\n"`:                "end of a line",
		"user a command /bin/ls\x00":                "NUL byte",
		strings.Repeat("#\n", 33<<10):               "more than 65536 bytes",
		strings.Repeat("user a command /x\n", 1025): "more than 1024 rules",
	} {
		if _, err := pool.ParseRules(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: %v; want %q", text, err, why)
		}
	}
}

func TestReadRules(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "rules")
	must(t, os.WriteFile(name, []byte(goodRules), 0o644))
	rules, err := pool.ReadRules(name)
	if err != nil || len(rules) != 4 {
		t.Errorf("%d rules, %v", len(rules), err)
	}
	link := filepath.Join(dir, "link")
	must(t, os.Symlink(name, link))
	open := filepath.Join(dir, "open")
	must(t, os.WriteFile(open, nil, 0o644))
	must(t, os.Chmod(open, 0o664))
	bad := filepath.Join(dir, "bad")
	must(t, os.WriteFile(bad, []byte("x"), 0o600))
	loose := filepath.Join(dir, "loose") // anybody can put another file there
	must(t, os.Mkdir(loose, 0o777))
	must(t, os.Chmod(loose, 0o777))
	must(t, os.WriteFile(filepath.Join(loose, "rules"), []byte(goodRules), 0o644))
	aside := filepath.Join(dir, "aside") // leads through it
	must(t, os.Symlink(loose, aside))
	huge := filepath.Join(dir, "huge")
	must(t, os.WriteFile(huge, []byte(strings.Repeat("# no rule\n", 10_000)), 0o600))
	byte0 := filepath.Join(dir, "byte0")
	must(t, os.WriteFile(byte0, []byte("x\x00"), 0o600))
	empty := filepath.Join(dir, "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	if rules, err := pool.ReadRules(empty); len(rules) != 0 || err != nil { // it allows nothing, to nobody
		t.Errorf("an empty file: %v, %v", rules, err)
	}
	for name, why := range map[string]string{
		filepath.Join(dir, "missing"): "no such file", link: "too many levels", open: "can be changed by group or others (mode 0664)",
		filepath.Join(loose, "rules"): fmt.Sprintf("%q can be changed by group or others (mode 0777)", loose),
		filepath.Join(aside, "rules"): fmt.Sprintf("%q can be changed by group or others (mode 0777)", loose),
		huge:                          "more than 65536 bytes", byte0: "line 1: \"x\\x00\"",

		dir: "no regular file", bad: "line 1: write",
	} {
		if _, err := pool.ReadRules(name); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v; want %q", name, err, why)
		}
	}
}

// FuzzParseRules: nothing that is read says more than it does when it is written down again.
func FuzzParseRules(f *testing.F) {
	f.Add(goodRules)
	f.Add(`user a command "/bin/ls`)
	f.Add("user a function x\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := pool.ParseRules(text)
		if err != nil {
			return
		}
		for _, r := range rules {
			if (r.User == "") == (r.Group == "") || (len(r.Functions) == 0) == (len(r.Commands) == 0) {
				t.Fatalf("%q gives %+v", text, r)
			}
			for _, words := range append(slices.Clone(r.Commands), r.Functions) {
				if strings.ContainsAny(strings.Join(words, ""), "\x00\n") {
					t.Fatalf("%q gives %q", text, words)
				}
			}
		}
	})
}
