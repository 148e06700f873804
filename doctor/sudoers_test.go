package doctor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/transport"
)

const listing = `Matching Defaults entries for web on host1:
    env_reset, mail_badpass,
    secure_path=/usr/local/sbin\:/usr/bin, badpass_message="no, not that", use_pty, log_output, env_keep+=GORACE

Runas and Command-specific defaults for web:
    Defaults!/usr/bin/id log_input

User web may run the following commands on host1:
    (root) /usr/bin/id, NOPASSWD: SETENV: sha256:0123= /opt/app __deliver a\,b, NOSETENV: /opt/other
    (www : www) ALL
`

func TestReadPolicy(t *testing.T) {
	t.Parallel()
	p := readPolicy(listing)
	want := []string{"env_reset", "mail_badpass", `secure_path=/usr/local/sbin\:/usr/bin`, `badpass_message="no, not that"`,
		"use_pty", "log_output", "env_keep+=GORACE"}
	if d := cmp.Diff(want, p.defaults); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	root := []string{"root"}
	rules := []sudoRule{
		{root, nil, "/usr/bin/id"}, {root, []string{"NOPASSWD", "SETENV"}, `/opt/app __deliver a\,b`},
		{root, []string{"NOPASSWD", "SETENV", "NOSETENV"}, "/opt/other"}, {[]string{"www"}, nil, "ALL"},
	}
	if d := cmp.Diff(rules, p.rules, cmp.AllowUnexported(sudoRule{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if !p.rules[1].has("SETENV", "NOSETENV") || p.rules[2].has("SETENV", "NOSETENV") || p.rules[0].has("NOPASSWD", "PASSWD") {
		t.Error("the last tag counts")
	}
	var checks []string
	for _, f := range settings(p.effective([]string{"/opt/app"}, "root")) {
		checks = append(checks, string(f.Severity)+" "+f.What[:24])
	}
	if d := cmp.Diff([]string{"note sudoers sets use_pty: su", "warning sudoers sets log_output:"}, checks); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestEscapeRule(t *testing.T) {
	t.Parallel()
	got := rule(transport.Sudo{User: "www"}, []string{"/opt/a b", "__deliver", "x,y"})
	if want := ` ALL=(www) NOPASSWD: /opt/a\ b __deliver x\,y`; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want an end %q", got, want)
	}
	for word, want := range map[string]string{"/opt/app": "/opt/app", "a,b": `a\,b`, "a*": `a\*`, "a=b:c": `a\=b\:c`, `a\`: `a\\`} {
		if got := escapeRule(word); got != want {
			t.Errorf("%q: %q", word, got)
		}
	}
}

// FuzzReadPolicy makes sure that no listing ends the program.
func FuzzReadPolicy(f *testing.F) {
	f.Add(listing)
	f.Add("User x may run the following commands on y:\n    (a) :::,NOPASSWD:,sha256:\n")
	f.Fuzz(func(_ *testing.T, text string) {
		p := readPolicy(text)
		effective := p.effective([]string{"/opt/app"}, "root")
		settings(effective)
		p.entries([]string{"/opt/app"}, "root", effective, true, false, func() string { return "" })
		p.entries([]string{"/opt/app"}, "root", effective, false, true, func() string { return "" })
	})
}
