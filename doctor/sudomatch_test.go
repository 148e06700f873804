package doctor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommandMatches(t *testing.T) {
	t.Parallel()
	argv := []string{"/opt/bin/app", "__deliver", "a.b", "x,/y z"}
	for command, want := range map[string]bool{
		"ALL": true, "/opt/bin/app": true, "/opt/bin/": true, "/opt/": false, "/opt/*/app": true, "/opt/*": false, "/opt/bin/ap?": true, "/opt/bin/other": false,
		"/opt/bin/app *": true, "/opt/bin/app __deliver *": true, `/opt/bin/app __deliver a.b x\,/y z`: true, "/opt/bin/app __deliver": false,
		`/opt/bin/app ""`: false, "/opt/bin/app ^__deliver [a-z.]+ .*$": true, "/opt/bin/app ^__ask.*$": false, "^/opt/.*/app$": true, "^/usr/.*$": false,
	} {
		if got := commandMatches(command, argv); got != want {
			t.Errorf("%s: %v", command, got)
		}
	}
	if !commandMatches(`/opt/bin/app ""`, argv[:1]) || !commandAmong([]string{"ALL", "!/bin/su"}, argv) || commandAmong([]string{"ALL", "!/opt/bin/app"}, argv) {
		t.Error("no arguments, or not among")
	}
	for list, want := range map[string]bool{
		"root": true, "www": false, "ALL": true, "ALL,!root": false, "!root,ALL": true, "#0": true, "#1": false, "%admins": true, "": false,
	} {
		if got := targetAmong(strings.Split(list, ","), "root"); got != want {
			t.Errorf("%s: %v", list, got)
		}
	}
}

// wrapped is what sudo 1.9.13 says: long lines are broken, and what is bound stands in lines or behind each other.
const wrapped = `Matching Defaults entries for nobody on vm:
    env_reset, requiretty, !requiretty, log_output

Runas and Command-specific defaults for nobody:
    Defaults>root, sync log_stdout    Defaults!/opt/app __deliver *, /opt/a\,b
    !log_output, !use_pty
    Defaults!/usr/bin/id, !/usr/bin/who log_input
    Defaults!ALL umask=077

User nobody may run the following commands on vm:
    (root, sync : ALL) NOPASSWD: /opt/app __deliver *, /opt/a\,b,
        sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        /bin/ls, NOEXEC: PASSWD: /bin/su, EXEC: /bin/cat ""
    (root) CWD=/tmp TIMEOUT=600 NOTBEFORE=20200101000000Z NOPASSWD: /bin/true
    (%adm, #5, !root) ROLE=x TYPE=y ALL, !/bin/su
`

func TestReadWrapped(t *testing.T) {
	t.Parallel()
	p := readPolicy(wrapped)
	bound := []boundDefaults{
		{false, []string{"root", "sync"}, []string{"log_stdout"}},
		{true, []string{"/opt/app __deliver *", `/opt/a\,b`}, []string{"!log_output", "!use_pty"}},
		{true, []string{"/usr/bin/id", "!/usr/bin/who"}, []string{"log_input"}},
		{true, []string{"ALL"}, []string{"umask=077"}},
	}
	if d := cmp.Diff(bound, p.bound, cmp.AllowUnexported(boundDefaults{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	var commands []string
	for _, r := range p.rules {
		commands = append(commands, r.command)
	}
	if d := cmp.Diff([]string{"/opt/app __deliver *", `/opt/a\,b`, "/bin/ls", "/bin/su", `/bin/cat ""`, "/bin/true", "ALL", "!/bin/su"}, commands); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	app, id := []string{"/opt/app", "__deliver", "x"}, []string{"/usr/bin/id"}
	want := map[string]string{"env_reset": "env_reset", "requiretty": "!requiretty", "log_output": "!log_output", "use_pty": "!use_pty", "log_stdout": "log_stdout", "umask": "umask=077"}
	if d := cmp.Diff(want, p.effective(app, "root")); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got := p.effective(id, "www"); got["log_input"] != "log_input" || got["log_output"] != "log_output" || got["log_stdout"] != "" {
		t.Errorf("%v", got)
	}
	if found := p.entries(app, "root", nil, true, false, nil); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}
