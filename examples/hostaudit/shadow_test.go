package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPasswordState(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ field, state, kind string }{
		{"", "empty", ""},
		{"*", "none", ""},
		{"!", "none", ""},
		{"!!", "none", ""},
		{"!*", "none", ""},
		{"x", "none", ""},
		{"*LK*", "none", ""},
		{"$y$j9T$salt$hash", "usable", "yescrypt"},
		{"!$y$j9T$salt$hash", "locked", "yescrypt"},
		{"$6$rounds=5000$salt$hash", "usable", "SHA-512"},
		{"$5$salt$hash", "usable", "SHA-256"},
		{"$2b$12$salthash", "usable", "bcrypt"},
		{"$1$salt$hash", "usable", "MD5"},
		{"$md5,rounds=5000$salt$$hash", "usable", "Sun MD5"},
		{"abJnggxhB/yWI", "usable", "DES"},
		{"_J9..rasmBYk8r9AiWNc", "usable", "extended DES"},
		{"$what$ever$is$this", "usable", "unknown"},
		{strings.Repeat("\x00\xff", 500), "usable", "unknown"},
	} {
		state, kind := passwordState(tt.field)
		if state != tt.state || kind != tt.kind {
			t.Errorf("passwordState(%.30q) = %q, %q; want %q, %q", tt.field, state, kind, tt.state, tt.kind)
		}
	}
}

const today = 20_000

func TestParseShadow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       PasswordReport
	}{
		{"healthy", "root:*:19990:0:99999:7:::\nann:$y$j9T$s$h:19990:0:90:7:::\n", PasswordReport{Accounts: []Account{
			{Name: "root", State: "none", Age: 10, MaxAge: -1},
			{Name: "ann", State: "usable", Hash: "yescrypt", Age: 10, MaxAge: 90},
		}}},
		{"empty password", "ann::19990:0:99999:7:::", PasswordReport{
			Accounts: []Account{{Name: "ann", State: "empty", Age: 10, MaxAge: -1}},
			Findings: Findings{{High, "ann", "empty password: anyone may log in", "passwd -l ann"}},
		}},
		{"expired", "ann:$6$s$h:19900:0:90:7:::", PasswordReport{
			Accounts: []Account{{Name: "ann", State: "usable", Hash: "SHA-512", Age: 100, MaxAge: 90}},
			Findings: Findings{{Warn, "ann", "password expired 10 days ago", "change or lock it"}},
		}},
		{"account ended", "ann:$6$s$h:19990:0:90:7::19993:", PasswordReport{
			Accounts: []Account{{Name: "ann", State: "usable", Hash: "SHA-512", Age: 10, MaxAge: 90, Ends: true, Expires: -7}},
			Findings: Findings{{Note, "ann", "account ended 7 days ago", "remove it if nobody needs it"}},
		}},
		{"must change, weak", "ann:$1$s$h:0:0:99999:7:::", PasswordReport{
			Accounts: []Account{{Name: "ann", State: "usable", Hash: "MD5", Age: today, MaxAge: -1}},
			Findings: Findings{
				{High, "ann", "MD5 hash: guessed in hours", "set a new password; use yescrypt in /etc/login.defs"},
				{Note, "ann", "password must be changed at the next login", ""},
			},
		}},
		{"absurd numbers", "ann:!$6$s$h:99999999999999999999:x:-5:7:::", PasswordReport{
			Accounts: []Account{{Name: "ann", State: "locked", Hash: "SHA-512", Age: -1, MaxAge: -1}},
		}},
		{"too few fields", "ann:$6$secret$hash", PasswordReport{
			Findings: Findings{{Warn, "line 1", "2 fields instead of 9", "repair it with vipw -s"}},
		}},
		{"twice", "a:*:1::::::\na:*:1::::::", PasswordReport{
			Accounts: []Account{{Name: "a", State: "none", Age: 19999, MaxAge: -1}, {Name: "a", State: "none", Age: 19999, MaxAge: -1}},
			Findings: Findings{{Warn, "a", "has a second line (line 2)", "remove one with vipw -s"}},
		}},
		{"escape codes in a name", "\x1b[2Jann::1::::::", PasswordReport{
			Accounts: []Account{{Name: `"\x1b[2Jann"`, State: "empty", Age: 19999, MaxAge: -1}},
			Findings: Findings{{High, `"\x1b[2Jann"`, "empty password: anyone may log in", `passwd -l "\x1b[2Jann"`}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, parseShadow(tt.text, today)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// No part of a hash may come out, whatever the file looks like.
func TestShadowKeepsSecrets(t *testing.T) {
	t.Parallel()
	const secret = "S3cr3tHashOfAnn"
	file := filepath.Join(t.TempDir(), "shadow")
	text := "ann:$6$" + secret + "$" + secret + ":1:0:99999:7:::\nbob:" + secret + ":1\n$6$" + secret + "\nx:y:" + secret + "::::::\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	report, err := auditPasswords(context.Background(), PasswordQuery{File: file, Now: time.Unix(today*86400, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Accounts) != 2 || len(report.Findings) < 3 {
		t.Errorf("got %+v, want 2 accounts and findings for the broken lines and the mode", report)
	}
	for _, f := range report.Findings {
		if strings.Contains(f.Subject+f.Text+f.Advice, secret) {
			t.Errorf("finding shows a hash: %+v", f)
		}
	}
	for _, a := range report.Accounts {
		if strings.Contains(a.Name+a.State+a.Hash, secret) {
			t.Errorf("account shows a hash: %+v", a)
		}
	}
}

// Whatever stands where a file should be, the audit answers, and soon.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.Symlink(at("loop"), at("loop")),
		syscall.Mkfifo(at("pipe"), 0o644),
		os.Mkdir(at("dir"), 0o755),
		os.WriteFile(at("huge"), make([]byte, maxFile+1), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		want error
	}{
		{"missing", fs.ErrNotExist}, {"loop", syscall.ELOOP}, {"pipe", errNotRegular}, {"dir", errNotRegular}, {"huge", errTooLarge},
	} {
		file := at(tt.name)
		_, passwords := auditPasswords(t.Context(), PasswordQuery{File: file})
		_, sudoers := auditSudoers(t.Context(), SudoersQuery{File: file})
		_, server := auditServer(t.Context(), ServerQuery{File: file})
		for audit, err := range map[string]error{"passwords": passwords, "sudoers": sudoers, "sshd": server} {
			if !errors.Is(err, tt.want) {
				t.Errorf("%s of a %s file: %v, want %v", audit, tt.name, err, tt.want)
			}
		}
	}
}

// A heap of anything must neither fail nor fill the report.
func TestHostileContent(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{
		"binary": "\x00\xff\x1b\n", "colons": ":::::::::\n", "continued": "a\\\n", "commas": "a, ", "equals": "a b = c, !d : e = f\n",
		"quotes": `"\" = "`, "grants": "ALL ALL = NOPASSWD: ALL\n", "includes": "Include /dev/null\n", "aliases": "User_Alias A = A, A\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, []byte(strings.Repeat(unit, maxFile/8/len(unit))), 0o644); err != nil {
				t.Fatal(err)
			}
			passwords, _ := auditPasswords(t.Context(), PasswordQuery{File: file})
			sudoers, _ := auditSudoers(t.Context(), SudoersQuery{File: file})
			server, _ := auditServer(t.Context(), ServerQuery{File: file})
			for audit, found := range map[string]Findings{"passwords": passwords.Findings, "sudoers": sudoers.Findings, "sshd": server.Findings} {
				if len(found) > 3*(perSeverity+1) {
					t.Errorf("%s: %d findings", audit, len(found))
				}
				for _, f := range found {
					if text := f.Subject + f.Text; len(text) > 2000 || strings.ContainsAny(text, "\x00\x1b\n") {
						t.Errorf("%s: unsafe or endless finding %.100q", audit, text)
					}
				}
			}
		})
	}
}
