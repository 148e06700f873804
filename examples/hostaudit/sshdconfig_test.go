package main

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServerSetting(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line, key, value string
		ok               bool
	}{
		{"PermitRootLogin yes", "permitrootlogin", "yes", true},
		{"  PermitRootLogin=yes # why", "permitrootlogin", "yes", true},
		{"Banner\t = \"/etc/issue net\"\r\n", "banner", "/etc/issue net", true},
		{"# PermitRootLogin yes", "", "", false},
		{"\n", "", "", false},
		{"UsePAM", "usepam", "", true},
	} {
		key, value, ok := serverSetting(tt.line)
		if key != tt.key || value != tt.value || ok != tt.ok {
			t.Errorf("serverSetting(%q) = %q, %q, %v; want %q, %q, %v", tt.line, key, value, ok, tt.key, tt.value, tt.ok)
		}
	}
}

func TestAuditServer(t *testing.T) {
	t.Parallel()
	const passwords = "warn passwordauthentication yes: passwords can be guessed from the network"
	for _, tt := range []struct {
		name  string
		files map[string]string
		found []string
	}{
		{"defaults", map[string]string{"c": ""}, []string{passwords + " (default)"}},
		{"the first value counts", map[string]string{"c": "PermitRootLogin no\nPasswordAuthentication no\nPermitRootLogin yes\n"}, nil},
		{"an included value comes first", map[string]string{"c": "Include DIR/d/*.conf\nPasswordAuthentication no\n", "d/a.conf": "PasswordAuthentication yes"},
			[]string{passwords + " (DIR/d/a.conf:1)"}},
		{"match", map[string]string{"c": "PasswordAuthentication no\nMatch User ann\nPermitRootLogin yes\nX11Forwarding no\nMatch all\nStrictModes no\n"},
			[]string{"high permitrootlogin yes: root may log in with a password (Match User ann, DIR/c:3)", "high strictmodes no: keys in files"}},
		{"a match ends with its file", map[string]string{"c": "Include DIR/m\nPermitRootLogin yes\nPasswordAuthentication no", "m": "Match User ann\nX11Forwarding yes\n"},
			[]string{"high permitrootlogin yes: root may log in with a password (DIR/c:2)", "note x11forwarding yes: programs of the server may use the user's display (Match"}},
		{"weak algorithms", map[string]string{"c": "PasswordAuthentication no\nCiphers aes128-cbc\nMACs -hmac-md5\nKexAlgorithms +diffie-hellman-group1-sha1\nMaxAuthTries 60\nLogLevel quiet"},
			[]string{"high ciphers aes128-cbc:", "warn kexalgorithms +diffie-hellman-group1-sha1:", "note maxauthtries 60:", "warn loglevel quiet:"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := write(t, tt.files)
			report, err := auditServer(t.Context(), ServerQuery{File: filepath.Join(dir, "c")})
			if err != nil {
				t.Fatal(err)
			}
			checkFindings(t, report.Findings, dir, tt.found)
		})
	}
}

func TestIncludesInACircle(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"c": "Include DIR/c\n", "s": "@include DIR/s\n"})
	if _, err := auditServer(t.Context(), ServerQuery{File: filepath.Join(dir, "c")}); !errors.Is(err, errTooDeep) {
		t.Errorf("sshd: %v, want %v", err, errTooDeep)
	}
	if _, err := auditSudoers(t.Context(), SudoersQuery{File: filepath.Join(dir, "s")}); !errors.Is(err, errTooDeep) {
		t.Errorf("sudoers: %v, want %v", err, errTooDeep)
	}
}

func TestLogicalLines(t *testing.T) {
	t.Parallel()
	got := logicalLines([]byte("a\nb \\\n c\\\r\nd\n\ne\\"))
	want := []logicalLine{{1, "a"}, {2, "b  cd"}, {5, ""}, {6, "e"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(logicalLine{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
