package stage

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstallInside(t *testing.T) {
	t.Setenv(roleVar, roleInside)
	t.Setenv("PATH", t.TempDir())
	var log bytes.Buffer
	if err := Install(t.Context(), &log); err != nil || log.Len() > 0 {
		t.Errorf("%v, %q", err, log.String())
	}
}

func TestInstallRefuses(t *testing.T) {
	was := wanted
	t.Cleanup(func() { wanted = was })
	wanted = append(wanted, struct{ command, pkg string }{"stage-wants-this", "stage-package"})
	t.Setenv(roleVar, "")
	t.Setenv("PATH", t.TempDir()) // and so there is no apt-get
	err := Install(t.Context(), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "stage-wants-this") {
		t.Errorf("%v", err)
	}
}

// A made-up apt-get fails until its lists were updated, then installs. It notes how it was called.
const fakeAptGet = `#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >>"$0.log"
case "$*" in
*update) touch "$0.lists";;
*) test -e "$0.lists" || exit 100; cp "$0" "${0%apt-get}stage-wants-this";;
esac
`

func TestInstallPackages(t *testing.T) {
	needRoot(t)
	was := wanted
	t.Cleanup(func() { wanted = was })
	wanted = []struct{ command, pkg string }{{"stage-wants-this", "stage-package"}, {"sh", "dash"}}
	bin := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bin, "apt-get"), []byte(fakeAptGet), 0o755))
	t.Setenv(roleVar, "")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	_, before := os.Lstat(servicePolicy)

	var log bytes.Buffer
	if err := Install(t.Context(), &log); err != nil {
		t.Fatalf("%v:\n%s", err, log.String())
	}
	calls, err := os.ReadFile(filepath.Join(bin, "apt-get.log"))
	must(t, err)
	last := "install --yes --no-install-recommends stage-package\n"
	if !strings.HasSuffix(string(calls), last) || strings.Contains(string(calls), "dash") || !strings.HasPrefix(string(calls), "noninteractive ") {
		t.Errorf("apt-get was called with\n%s", calls)
	}
	if !strings.Contains(log.String(), "stage-wants-this missing; installing stage-package") || !strings.HasSuffix(log.String(), "no service was started\n") {
		t.Errorf("it said\n%s", log.String())
	}
	if _, after := os.Lstat(servicePolicy); (before == nil) != (after == nil) {
		t.Errorf("the policy was there: %v, is there: %v", before == nil, after == nil)
	}
	log.Reset()
	if err := Install(t.Context(), &log); err != nil || !strings.Contains(log.String(), "nothing to install") {
		t.Errorf("the second time: %v, %s", err, log.String())
	}
}

func TestForbidServices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy-rc.d")
	allow, err := forbidServices(path)
	must(t, err)
	if err := exec.CommandContext(t.Context(), path).Run(); err == nil || !strings.Contains(err.Error(), "101") {
		t.Errorf("the policy says %v", err)
	}
	must(t, allow())
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("it stays: %v", err)
	}
	must(t, os.WriteFile(path, []byte("own"), 0o600))
	allow, err = forbidServices(path)
	must(t, err)
	must(t, allow())
	if text, err := os.ReadFile(path); err != nil || string(text) != "own" {
		t.Errorf("the machine's own policy: %q, %v", text, err)
	}
}
