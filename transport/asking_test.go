package transport

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAskingArgv pins what runs: rules in sudoers and people who look at a dry run compare with it.
func TestAskingArgv(t *testing.T) {
	const helper = "/tmp/d/helper"
	for _, c := range []struct {
		via     Transport
		helpers []string
		want    string
	}{
		{Sudo{}, []string{helper}, "sudo -A -- /app __deliver"},
		{Sudo{}, []string{""}, "sudo -n -- /app __deliver"},
		{Sudo{}, nil, "sudo -n -- /app __deliver"},
		{Doas{User: "www"}, []string{helper}, helper + " doas -u www -- /app __deliver"},
		{Su{User: "www"}, []string{helper}, helper + " --stdin su -s /bin/sh -c exec /app __deliver <&3 2>&4 3<&- 4>&- -- www"},
		{Su{Login: true, Program: "/opt/su"}, []string{helper}, helper + " --stdin /opt/su -l -s /bin/sh -c exec /app __deliver <&3 2>&4 3<&- 4>&- -- root"},
		{Runuser{User: "www"}, []string{helper}, "runuser -u www -- /app __deliver"},
		{Chain{Sudo{User: "a"}, Sudo{}}, []string{helper, helper},
			"sudo -A -u a -- /usr/bin/env SUDO_ASKPASS=" + helper + " SSH_ASKPASS=" + helper + " SSH_ASKPASS_REQUIRE=force /usr/bin/sudo -A -- /app __deliver"},
		{Chain{Sudo{User: "a"}, Doas{}}, []string{"", helper}, "sudo -n -u a -- " + helper + " /usr/bin/doas -- /app __deliver"},
		{Chain{Doas{}, Su{User: "a"}}, []string{helper, helper},
			helper + " doas -- " + helper + " --stdin /usr/bin/su -s /bin/sh -c exec /app __deliver <&3 2>&4 3<&- 4>&- -- a"},
	} {
		asking := Asking(c.via, c.helpers)
		got, err := asking.Command([]string{"/app", "__deliver"})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v; want %s", c.via, got, err, c.want)
		}
		if asking.String() != c.via.String() {
			t.Errorf("%s reads %s when it asks", c.via, asking)
		}
	}
	for _, via := range []Transport{Su{}, Doas{}, Chain{Self{}, Sudo{User: "a"}, Sudo{}}} {
		helpers := make([]string, len(Hops(via)))
		helpers[len(helpers)-1] = "relative"
		if got, err := Asking(via, helpers).Command([]string{"/app"}); err == nil || !strings.Contains(err.Error(), "helper") {
			t.Errorf("%s with a relative helper: %q, %v", via, got, err)
		}
	}
}

func TestAskable(t *testing.T) {
	ssh := SSH{Host: "h"}
	for _, c := range []struct {
		via  Transport
		want []bool
	}{
		{nil, []bool{}},
		{Sudo{}, []bool{true}}, {ssh, []bool{true}}, {Su{}, []bool{true}}, {Doas{}, []bool{true}}, {Runuser{User: "a"}, []bool{false}},
		{Chain{ssh, ssh, Doas{}}, []bool{true, true, true}},
		{Chain{Sudo{}, Sudo{User: "a"}}, []bool{true, false}},
		{Chain{Sudo{}, Doas{}, Su{}}, []bool{true, false, true}},
		{Chain{Docker{Container: "c"}, Sudo{}, Su{}}, []bool{false, false, true}},
	} {
		if got := Askable(c.via); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.via, got, c.want)
		}
	}
}

// TestBuildAsking looks at the program that gains the rights, not at what starts it, which is the caller's own.
func TestBuildAsking(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "su")
	if err := os.WriteFile(mine, []byte("#!/bin/sh\n"), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(mine), 0o777); err != nil { //nolint:gosec // anyone can put another one there
		t.Fatal(err)
	}
	helper := filepath.Join(t.TempDir(), "helper")
	for _, via := range []Transport{Su{Program: mine}, Doas{Program: mine}} {
		if got, err := Build(Asking(via, []string{helper}), []string{"/app"}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %q, %v", via, got, err)
		}
	}
	got, err := Build(Asking(Su{}, []string{helper}), []string{"/app"})
	if errors.Is(err, ErrNotFound) {
		t.Skip("NOT TESTED, no su here")
	}
	if err != nil || got[0] != helper || !filepath.IsAbs(got[2]) || filepath.Base(got[2]) != "su" {
		t.Errorf("%q, %v", got, err)
	}
}
