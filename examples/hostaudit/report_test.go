package main

import (
	"strings"
	"testing"
	"time"
)

func TestWriteText(t *testing.T) {
	t.Parallel()
	seen := func(name string) *visit {
		return &visit{
			Target: name, Via: "x=" + name, User: "root", Host: "web1", WorkerStart: 2 * time.Millisecond, CallTime: 3 * time.Millisecond,
			Audits: []outcome{
				{Name: "passwords", Summary: "1 account", Findings: []Finding{{Note, "ann", "old", ""}}},
				{Name: "sudoers", Summary: "1 rule", Findings: []Finding{{High, "bob", "too much", "less"}}},
			},
		}
	}
	denied := &visit{Target: "copy", Via: "self", User: "ann", UID: 1000, Host: "web1", Audits: []outcome{
		{Name: "passwords", Denied: true, Error: "passwords: open /etc/shadow: permission denied"},
		{Name: "sudoers", Error: "boom"},
	}}
	var b strings.Builder
	err := writeText(&b, []*visit{
		denied, seen("sudo"), {Target: "ssh", Via: "ssh=x", Skipped: "no sshd"}, {Target: "userns", Via: "userns", Error: "forbidden", Failed: true}, seen("ssh+sudo"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"sudo      root  0     web1  2.00 ms",
		"ssh: skipped: no sshd\n",
		"userns: FAILED: forbidden\n",
		"passwords  0.00 ms  DENIED: passwords: open /etc/shadow: permission denied\n",
		"sudoers    0.00 ms  ERROR: boom\n",
		"SEVERITY  AUDIT      SUBJECT  FINDING\nhigh      sudoers    bob      too much → less\nnote      passwords  ann      old\n",
		"== ssh+sudo: 2 findings, the same as sudo\n",
		"AUDIT      copy    sudo  ssh  userns  ssh+sudo\npasswords  denied  1     -    -       1\nsudoers    error   1     -    -       1\n",
		"sudo and ssh+sudo saw the same: 2 findings\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestComparisonNamesTheDifference(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	compareRoots(&b, []*visit{
		{Target: "sudo", Audits: []outcome{{Name: "passwords", Findings: []Finding{{Severity: High}}}, {Name: "setuid", Summary: "3 files"}}},
		{Target: "ssh+sudo", Audits: []outcome{{Name: "passwords"}, {Name: "setuid", Summary: "4 files"}}},
	})
	if got, want := b.String(), "sudo and ssh+sudo differ in passwords: 1 findings | 0 findings\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	var f Findings
	for range 10_000 {
		f.add(Note, "x", "noise", "")
	}
	f.add(High, "y", "the one that counts", "")
	all := f.All()
	if len(all) != perSeverity+2 || all[0].Severity != High || all[0].Subject != "y" {
		t.Errorf("%d findings, the first is %+v", len(all), all[0])
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/etc/shadow":           "/etc/shadow",
		"Ünal 漢":                "Ünal 漢",
		"a\x1b[2Jb":             `"a\x1b[2Jb"`,
		"a\xffb":                `"a\xffb"`,
		"a\u202eb":              `"a\u202eb"`,
		strings.Repeat("é", 41): strings.Repeat("é", 40) + "…",
		strings.Repeat("漢", 40): strings.Repeat("漢", 26) + "…",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}
