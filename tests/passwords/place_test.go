//go:build linux

package passwords

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// asRootRun runs a shell's script as root, in the place that belongs to these tests.
var asRootRun = registry.Register("passwords.run", func(script box.Secret[string]) (string, error) {
	out, err := exec.Command("/bin/sh", "-euc", script.Reveal()).CombinedOutput()
	return string(out), err
})

// prepare runs a script as root now, and another one at the end of the test. sudo's rules have to be those of the stage.
func prepare(t *testing.T, before, after string) {
	t.Helper()
	run := func(script string) {
		if out, err := asRootRun.On(delivery.Once{Via: transport.Sudo{}})(box.NewSecret(script)); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	if after != "" {
		t.Cleanup(func() { run(after) })
	}
	run(before)
}

// The passwords of those who have none at first.
const (
	rootsPassword   = "canary-root-5f21"
	secondsPassword = "canary-second-9b70"
)

// failures is where PAM's stack counts what was tried and was wrong.
const failures = "/var/log/passwords-failed"

// accounts gives root and the second user a password, and has wrong ones counted, whoever asks.
func accounts(t *testing.T) {
	t.Helper()
	needs(t)
	st.NeedSecond(t)
	prepare(t, `printf '%s\n' 'root:`+rootsPassword+`' '`+st.Second+`:`+secondsPassword+`' | chpasswd
: > `+failures+`; chmod 666 `+failures+`
printf '#!/bin/sh\necho "$PAM_SERVICE" >> `+failures+`\n' > /run/stage/failed; chmod 755 /run/stage/failed
cp -a /etc/pam.d/common-auth /etc/pam.d/common-auth.was
cat > /etc/pam.d/common-auth <<END
auth [success=2 auth_err=ignore default=1] pam_unix.so nullok nodelay
auth [default=ignore] pam_exec.so quiet /run/stage/failed
auth requisite pam_deny.so
auth required pam_permit.so
END
sed -i.was 's/^FAIL_DELAY.*/FAIL_DELAY 0/' /etc/login.defs`, `mv /etc/login.defs.was /etc/login.defs; mv /etc/pam.d/common-auth.was /etc/pam.d/common-auth; passwd -q -d root; passwd -q -l root; passwd -q -d `+st.Second+`; passwd -q -l `+st.Second)
}

// attempts are how often PAM has refused a password since the last time.
func attempts(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(failures)
	if err == nil {
		err = os.Truncate(failures, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

// doasRules sets what doas wants.
func doasRules(t *testing.T, rules string) {
	t.Helper()
	needsProgram(t, "doas")
	prepare(t, "printf '%s\\n' '"+rules+"' > /etc/doas.conf; chmod 600 /etc/doas.conf", "rm -f /etc/doas.conf")
}

func needsProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, name)
	}
}

// missing skips the test because something is not installed; not where all has to be.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI must have %s; run: go run ./tests/stage/install", what)
	}
	t.Skipf("NOT TESTED, no %s; to install it, run: go run ./tests/stage/install", what)
}

// byHop gives each hop its own password, by the beginning of its name; the longest that fits.
func byHop(passwords map[string]string) *keeper {
	return &keeper{answer: func(_ context.Context, p password.Prompt) (string, error) {
		best, answer := "", ""
		for hop, s := range passwords {
			if strings.HasPrefix(p.Hop, hop) && len(hop) >= len(best) {
				best, answer = hop, s
			}
		}
		if answer == "" {
			return "", password.ErrNone
		}
		return answer, nil
	}}
}

// withCode gives a code first, and then a password.
func withCode(code, secret string) *keeper {
	return &keeper{answer: func(_ context.Context, p password.Prompt) (string, error) {
		if p.Number == 1 {
			return code, nil
		}
		return secret, nil
	}}
}

// hopsOf are those who have asked.
func hopsOf(prompts []password.Prompt) string {
	var hops []string
	for _, p := range prompts {
		hops = append(hops, p.Hop)
	}
	return strings.Join(hops, " ")
}
