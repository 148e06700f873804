package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// A badInput is a spec, or a file of targets, that has to be refused with a clear word.
type badInput struct {
	number int
	spec   string
	status int
	want   string // regular expression, in what is said; MARKER is replaced
	need   func(stage.TB)
	target string // text of the file of targets; the spec is @web then
}

func longHost(n int) string { return strings.Repeat("abcdefghi.", 30)[:n] }

// badInputs are the transport specs (19 to 36) and host names (37 to 55) of the list of bad input. MARKER is a file that must
// not come to be: what looks like a command would make it.
func badInputs(dir string) []badInput {
	at := func(n int) string { return fmt.Sprintf("at byte %d: ", n) }
	planted := filepath.Join(dir, "sudo")
	root := func(t stage.TB) { st.NeedSudo(t) }
	return []badInput{
		{number: 19, spec: "", status: 64, want: at(0) + "is empty; begin with one of self, .*, sudo, ssh, "},
		{number: 20, spec: "sudo//", status: 64, want: at(6) + `nothing between two "//" or at an end`},
		{number: 20, spec: "sudo|", status: 64, want: at(0) + `unknown key "sudo\|"; did you mean "sudo"`},
		{number: 21, spec: "sudoo", status: 64, want: at(0) + `unknown key "sudoo"; did you mean "sudo"\?`},
		{number: 22, spec: "sudo//program=" + planted, status: 77, want: `(is owned by uid \d+ \(mode \d+\), should be root|is writable by group or others \(mode \d+\)): not safe to run`},
		{number: 23, spec: "sudo//program=./sudo", status: 64, want: at(14) + `sudo program "./sudo": is a relative path; write an absolute path`},
		{number: 24, spec: strings.Repeat("sudo//", 8) + "sudo", status: 64, want: at(48) + "one hop too many; at most 8 are allowed"},
		{number: 25, spec: "ssh", status: 64, want: at(0) + `ssh host "": is empty; write ssh=HOST`},
		{number: 26, spec: "ssh=host:99999", status: 64, want: at(4) + `port "99999": is out of range; ports go from 1 to 65535`},
		{number: 27, spec: "ssh=host:0", status: 64, want: at(4) + `port "0": is out of range`},
		{number: 28, spec: "command='a", status: 64, want: at(8) + "command: at byte 0 of the value: a single quote is not closed"},
		{number: 29, spec: "sudo//frob=1", status: 64, want: at(6) + `unknown key "frob"; allowed are `},
		{number: 29, spec: "sudo//idetity=/x", status: 64, want: at(6) + `unknown key "idetity"; did you mean "identity"`},
		{number: 30, spec: "ssh=h//option=StrictHostKeyChecking=no", status: 64, want: at(14) + `ssh option "StrictHostKeyChecking=no": has to be yes, ask or accept-new`},
		{number: 30, spec: `ssh=h//option=stricthostkeychecking="off"`, status: 64, want: at(14) + `ssh option .*: has to be yes, ask or accept-new`},
		{number: 31, spec: "docker=", status: 64, want: at(7) + `docker container "": is empty`},
		{number: 32, spec: "kubectl=-c", status: 64, want: at(8) + `kubectl pod "-c": must not begin with '-', it would be read as an option`},
		{number: 32, spec: "kubectl=web//container=-c", status: 64, want: at(23) + `kubectl container "-c": must not begin with '-'`},
		{number: 33, spec: "nsenter=1", status: 77, want: `nsenter=1": not allowed`, need: func(t stage.TB) {
			if os.Geteuid() == 0 {
				t.Skip("NOT TESTED: root may")
			}
		}},
		{number: 34, spec: "nsenter=abc", status: 64, want: at(8) + `nsenter target "abc": is not a number`},
		{number: 35, spec: "sudo//su=nosuchuser", status: 69, want: `su=nosuchuser": unknown user or group`, need: root},
		{number: 36, spec: "sudo//ssh=a//sudo//ssh=b//sudo//sudo", status: 64, want: at(0) + `chain: the hop "sudo" stands there more than 3 times; the chain runs in circles`},
		{number: 37, spec: "ssh=-oProxyCommand=touch MARKER", status: 64, want: at(4) + `host ".*": (must not begin with '-', it would be read as an option|options cannot stand before the host)`},
		{number: 37, spec: "ssh=-oProxyCommand=touch${IFS}MARKER", status: 64, want: at(4) + `host ".*": must not begin with '-'`},
		{number: 38, spec: "ssh=a;touch MARKER", status: 64, want: at(4) + `host ".*": byte ';' is not allowed`},
		{number: 39, spec: "ssh=x`touch MARKER`", status: 64, want: at(4) + "host \".*\": byte '`' is not allowed"},
		{number: 40, spec: "ssh=$(touch MARKER)", status: 64, want: at(4) + `host ".*": byte '\$' is not allowed`},
		{number: 41, spec: "ssh=a b", status: 64, want: at(4) + `host "a b": byte ' ' is not allowed`},
		{number: 42, spec: "ssh=a\ntouch MARKER", status: 64, want: at(4) + `host "a\\n.*": byte '\\n' is not allowed`},
		{number: 42, spec: `ssh=a\x0atouch MARKER`, status: 64, want: at(4) + `host "a\\n.*": byte '\\n' is not allowed`},
		{number: 43, spec: `ssh=a\x00b`, status: 64, want: at(4) + `host "a\\x00b": byte '\\x00' is not allowed`},
		{number: 44, spec: "ssh=" + longHost(254), status: 64, want: at(4) + "host .*: has 254 bytes; at most 253 are allowed"},
		{number: 45, spec: "ssh=" + strings.Repeat("a", 64), status: 64, want: at(4) + "host .*: has a part of 64 bytes; at most 63 are allowed between dots"},
		{number: 46, spec: "ssh=user@-host", status: 64, want: `host "-host": must not begin with '-'`},
		{number: 47, spec: "ssh=-l@host", status: 64, want: `"-l": must not begin with '-'`},
		{number: 48, spec: "ssh=[::1", status: 64, want: at(4) + `.*\[::1`},
		{number: 49, spec: "ssh=[::1%eth0;id]", status: 64, want: at(4) + `host ".*": byte ';' is not allowed in the zone after '%'`},
		{number: 49, spec: "ssh=[::1%$(touch MARKER)]", status: 64, want: at(4) + `host ".*": the zone after '%' must be an interface name`},
		{number: 50, spec: "ssh=аpple.com", status: 64, want: `similar letters can hide another name; if you mean it, write "xn--pple-43d.com"`},
		{number: 51, spec: "ssh=web1..", status: 64, want: `has an empty part between dots`},
		{number: 52, spec: "ssh=host/../../x", status: 64, want: at(4) + `host ".*": byte '/' is not allowed`},
		{number: 53, target: "[targets]\n" + strings.Repeat("\n", 15) + `web = "ssh="` + "\n", status: 78, want: `targets.toml:17: .*ssh host "": is empty`},
		{number: 54, target: "[targets]\nweb = \"sudo\"\nweb = \"ssh=b\"\n", status: 78, want: `targets.toml:3: `},
		{number: 55, target: "[targets]\nweb = \"sudo\"\n" + strings.Repeat("\n", 1<<20), status: 78, want: `targets.toml: it has \d+ bytes; at most 1048576 are allowed`},
	}
}

// TestBadInput walks the list. Each is refused with a word that says what, where and what to do, and nothing of it is run.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	marker := filepath.Join(dir, "marker")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\ntouch "+marker+"\n"), 0o600),
		os.Chmod(filepath.Join(dir, "sudo"), 0o777)); err != nil { //nolint:gosec // it is to be refused
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, c := range badInputs(dir) {
		seen[c.number] = true
		t.Run(fmt.Sprint(c.number), func(t *testing.T) {
			if c.need != nil {
				c.need(t)
			}
			for _, verb := range [][]string{{"call", "--via", c.spec, "host.facts"}, {"explain", c.spec}, {"doctor", "--timeout=20s", c.spec}} {
				if c.status != 64 && c.target == "" && verb[0] != "call" {
					continue // only what is run tells
				}
				refusedWith(t, dir, c, verb)
			}
		})
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("something of it was run")
	}
	for n := 19; n <= 55; n++ {
		if !seen[n] {
			t.Errorf("%d is not tested", n)
		}
	}
	if out, status := command(t, "explain", "ssh=web1.//connect_timeout=1s"); status != 0 || !strings.Contains(out, "web1.") {
		t.Errorf("51, a dot at the end: %d %s", status, out)
	}
}

// refusedWith runs the command, and looks at what it says.
func refusedWith(t *testing.T, dir string, c badInput, argv []string) {
	t.Helper()
	marker := filepath.Join(dir, "marker")
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "MARKER", marker)
	}
	if c.target != "" {
		file := filepath.Join(dir, "targets.toml")
		if err := os.WriteFile(file, []byte(c.target), 0o600); err != nil {
			t.Fatal(err)
		}
		for i := range argv {
			if argv[i] == c.spec {
				argv[i] = "@web"
			}
		}
		argv = append(argv, "--targets", file)
	}
	said, status := command(t, argv...)
	if status != c.status || !regexp.MustCompile(c.want).MatchString(said) || strings.ContainsAny(strings.TrimSpace(said), "\x00\x1b\n") {
		t.Errorf("%.200q: exit status %d, want %d; said %.600q, want %s", argv, status, c.status, said, c.want)
	}
}

// command runs this program as the command.
func command(t *testing.T, argv ...string) (said string, status int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Args = append([]string{"deliveryboy"}, argv...)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
