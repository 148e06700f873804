package main

import (
	"strings"
	"testing"
)

// FuzzParsers feeds the same bytes to everything here that parses. None may panic, and what they make of the bytes must
// be safe to print.
func FuzzParsers(f *testing.F) {
	for _, seed := range []string{
		"root:$y$j9T$s$h:19990:0:99999:7:::\n",
		"User_Alias A = b, c\nA ALL = (x:y) NOPASSWD: sha256:ab /bin/ls \\\n a, !ALL : h = /b\nDefaults!ALL env_keep += \"LD_*\"\n@include /x\n",
		"Match User a\nInclude /dev/null\nPermitRootLogin=\"yes\" # x\n",
		"   0: 0100007F:0016 00000000:0000 0A 0:0 00:0 0  1000 0 4711 1 0 100 0 0 10 0\n",
		"\x00\x00\x00\x07ssh-rsa\x00\x00\x00\x01\x03\x00\x00\x00\x01\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		shadow := parseShadow(string(data), today)
		for _, a := range shadow.Accounts {
			checkSafe(t, a.Name)
		}
		for _, finding := range shadow.Findings {
			checkSafe(t, finding.Subject+finding.Text)
		}
		parsed := &sudoersFile{}
		parsed.parse("sudoers", data)
		var report SudoersReport
		for _, d := range parsed.defaults {
			report.judgeDefault(d)
		}
		for _, g := range parsed.grants {
			who := strings.Join(parsed.expand("User_Alias", g.who), ", ")
			for _, command := range parsed.expand("Cmnd_Alias", []string{g.command}) {
				report.judgeGrant(g, who, command)
			}
		}
		for _, finding := range report.Findings {
			checkSafe(t, finding.Subject+finding.Text)
		}
		for line := range strings.Lines(string(data)) {
			serverSetting(line)
		}
		parseSockets("tcp", string(data))
		kind, _ := keyStrength(data)
		checkSafe(t, kind)
	})
}

func checkSafe(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsAny(text, "\x00\x1b\r\n\x7f") {
		t.Errorf("unsafe to print: %q", text)
	}
}
