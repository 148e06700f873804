package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes the files of a test below one directory; "DIR" in their text stands for it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestParseGrants(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []grant
		err  error
	}{
		{"root ALL=(ALL:ALL) ALL", []grant{{who: []string{"root"}, hosts: []string{"ALL"}, runAs: "ALL:ALL", command: "ALL"}}, nil},
		{"%sudo , ann ALL = /bin/ls", []grant{{who: []string{"%sudo", "ann"}, hosts: []string{"ALL"}, command: "/bin/ls"}}, nil},
		{"ann web1,web2=(www)NOPASSWD:SETENV: /a b, PASSWD: /c", []grant{
			{who: []string{"ann"}, hosts: []string{"web1", "web2"}, runAs: "www", noPasswd: true, setEnv: true, command: "/a b"},
			{who: []string{"ann"}, hosts: []string{"web1", "web2"}, runAs: "www", setEnv: true, command: "/c"},
		}, nil},
		{"ann a = /x : b = (root) /y", []grant{
			{who: []string{"ann"}, hosts: []string{"a"}, command: "/x"},
			{who: []string{"ann"}, hosts: []string{"b"}, runAs: "root", command: "/y"},
		}, nil},
		{`ann ALL = /bin/date -s 12\:00\,5, /b`, []grant{
			{who: []string{"ann"}, hosts: []string{"ALL"}, command: `/bin/date -s 12\:00\,5`},
			{who: []string{"ann"}, hosts: []string{"ALL"}, command: "/b"},
		}, nil},
		{`"A B" ALL = TIMEOUT=5m CWD="/x y" sha256:abc=, sha224:00 /z`, []grant{
			{who: []string{`"A B"`}, hosts: []string{"ALL"}, command: "/z"}}, nil},
		{"ann ALL", nil, errNoSeparator},
		{"ann = ALL", nil, errNotTwoLists},
		{"ann ALL = (root ALL", nil, errParenthesis},
		{"ann ALL = NOPASSWD:", nil, errNoCommand},
		{"ann ALL = /a,,/b", []grant{{who: []string{"ann"}, hosts: []string{"ALL"}, command: "/a"}}, errNoCommand},
	} {
		got, err := parseGrants(tt.text)
		if err != tt.err {
			t.Errorf("parseGrants(%q): %v, want %v", tt.text, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(grant{})); diff != "" {
			t.Errorf("parseGrants(%q): (-want +got)\n%s", tt.text, diff)
		}
	}
}

func TestAuditSudoers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files map[string]string
		rules []string // who|as|free|command
		found []string // severity subject: part of the text
	}{
		{"Debian's own", map[string]string{"sudoers": "Defaults\tenv_reset\n# User_Alias X = y\nroot\tALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n@includedir DIR/d\n"},
			[]string{"root|ALL:ALL|false|ALL", "%sudo|ALL:ALL|false|ALL"},
			[]string{"note %sudo: may run everything"}},
		{"aliases", map[string]string{"sudoers": "User_Alias OPS = ann, BOSS : BOSS = bob\nCmnd_Alias\tALLES = ALL, \\\n  /sbin/halt\nOPS ALL = NOPASSWD: ALLES"},
			[]string{"ann, bob|root|true|ALL", "ann, bob|root|true|/sbin/halt"},
			[]string{"high ann, bob: may run everything as root: ALL without a password", "warn ann, bob: may run as root: /sbin/halt without"}},
		{"a circle of aliases", map[string]string{"sudoers": "User_Alias A = B\nUser_Alias B = A\nA ALL = /sbin/halt"},
			[]string{"A|root|false|/sbin/halt"}, nil},
		{"includes", map[string]string{
			"sudoers": "#includedir DIR/d\n@include DIR/gone\n", "d/10": "ann ALL = /usr/bin/env", "d/skip.dpkg-old": "bad", "d/skip~": "bad", "d/20": "@include more", "d/more": "Defaults:ann !authenticate",
		}, []string{"ann|root|false|/usr/bin/env"},
			[]string{"warn DIR/sudoers:2: includes DIR/gone", "warn ann: /usr/bin/env runs any other program", "high Defaults:ann: !authenticate", "high Defaults:ann: !authenticate"}}, // once by the directory, once by d/20
		{"patterns", map[string]string{"sudoers": "ann ALL = /usr/bin/*, /bin/echo a*, !/bin/sh, /usr/bin/, sudoedit /etc/*, SHELLS"},
			[]string{"ann|root|false|/usr/bin/*", "ann|root|false|/bin/echo a*", "ann|root|false|!/bin/sh", "ann|root|false|/usr/bin/", "ann|root|false|sudoedit /etc/*", "ann|root|false|SHELLS"},
			[]string{"warn ann: may run whatever fits /usr/bin/*", "warn ann: the star in /bin/echo a*", "warn ann: is denied /bin/sh", "warn ann: may run everything in /usr/bin/"}},
		{"everyone, and what cannot be read", map[string]string{"sudoers": "ALL ALL = (root) ALL\n<<<<<<< HEAD\n#1000 ALL = /bin/true # comment\n"},
			[]string{"ALL|root|false|ALL", "#1000|root|false|/bin/true"},
			[]string{"high ALL: everyone may run everything", "warn DIR/sudoers:2: not understood"}},
		{"defaults", map[string]string{"sudoers": `Defaults !env_reset, env_keep += "LANG LD_PRELOAD", secure_path="/bin:/sbin"` + "\nDefaults@web setenv,visiblepw\nann ALL = SETENV: /bin/true"},
			[]string{"ann|root|false|/bin/true"},
			[]string{"high Defaults: !env_reset", "high Defaults: env_keep", "warn Defaults@web: setenv", "warn Defaults@web: visiblepw", "warn ann: may set any variable"}},
		{"replaceable command", map[string]string{"sudoers": "ann ALL = DIR/open/tool, DIR/gone", "open/tool": ""},
			[]string{"ann|root|false|DIR/open/tool", "ann|root|false|DIR/gone"},
			[]string{"high ann: DIR/open/tool is ", "note ann: DIR/gone is missing"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := write(t, tt.files)
			if err := os.Chmod(filepath.Join(dir, "open", "tool"), 0o777); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			report, err := auditSudoers(t.Context(), SudoersQuery{File: filepath.Join(dir, "sudoers")})
			if err != nil {
				t.Fatal(err)
			}
			var rules []string
			for _, r := range report.Rules {
				rules = append(rules, strings.ReplaceAll(fmt.Sprintf("%s|%s|%t|%s", r.Who, r.RunAs, r.NoPasswd, r.Command), dir, "DIR"))
			}
			if diff := cmp.Diff(tt.rules, rules); diff != "" {
				t.Errorf("rules (-want +got)\n%s", diff)
			}
			checkFindings(t, report.Findings, dir, tt.found)
		})
	}
}

// checkFindings wants one finding for each of the beginnings "severity subject: text", and no others. The files
// of a test belong to whoever runs it, so what is said about owners alone does not count.
func checkFindings(t *testing.T, got Findings, dir string, want []string) {
	t.Helper()
	var lines []string
	for _, f := range got {
		line := strings.ReplaceAll(string(f.Severity)+" "+f.Subject+": "+f.Text, dir, "DIR")
		if strings.Contains(line, "owned by uid") && !strings.Contains(line, "writable") {
			continue
		}
		lines = append(lines, line)
	}
	for _, w := range want {
		found := false
		for i, line := range lines {
			if strings.HasPrefix(line, w) {
				lines, found = append(lines[:i:i], lines[i+1:]...), true
				break
			}
		}
		if !found {
			t.Errorf("no finding %q", w)
		}
	}
	for _, line := range lines {
		t.Errorf("unexpected finding %q", line)
	}
}

func TestAliasBomb(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for c := 'A'; c < 'Z'; c++ {
		text.WriteString("Cmnd_Alias " + string(c) + "X = " + strings.Repeat(string(c+1)+"X, ", 40) + "\n")
	}
	text.WriteString("Cmnd_Alias ZX = ,\nann ALL = AX\nbob ALL = ALL\n")
	dir := write(t, map[string]string{"sudoers": text.String()})
	report, err := auditSudoers(t.Context(), SudoersQuery{File: filepath.Join(dir, "sudoers")})
	if err != nil || len(report.Findings) == 0 || len(report.Rules) > maxRules {
		t.Errorf("got %v with %d rules, %v", report.Findings, len(report.Rules), err)
	}
}
