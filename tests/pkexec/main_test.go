//go:build linux

// Package pkexec tests the transport through the real pkexec, with a polkitd and a message bus in a private place on this
// machine; see tests/stage. PKEXEC_FULL=1 runs the suite of couriers, too.
package pkexec

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/tests/ways"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	st = stage.Enter(stage.Options{Keep: []string{"PKEXEC_FULL"}})
	os.Exit(m.Run())
}

const polkitd = "/usr/lib/polkit-1/polkitd"

// rule lets the stage's ordinary user run everything as anybody, and the other one nothing.
const rule = `polkit.addRule(function(action, subject) {
	if (action.id == "org.freedesktop.policykit.exec" && subject.user == "%s") return polkit.Result.YES;
});
`

// The bus and polkitd are root's: they end with the place that they are in, when the tests have.
const services = `
install -d -m 755 /run/dbus
printf %s "$1" >/etc/polkit-1/rules.d/00-stage.rules
chmod 644 /etc/polkit-1/rules.d/00-stage.rules
dbus-daemon --system --fork --nopidfile
` + polkitd + ` --no-debug >/dev/null 2>&1 </dev/null &
`

// started starts the services, once.
var started = sync.OnceValue(func() error {
	for _, program := range []string{"pkexec", "dbus-daemon", polkitd} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w; run: go run ./tests/stage/install", err)
		}
	}
	var out bytes.Buffer
	cmd := exec.Command("sudo", "-n", "--", "/bin/sh", "-ec", services, "sh", fmt.Sprintf(rule, st.User))
	cmd.Stdout, cmd.Stderr = nil, nil
	if err := cmd.Run(); err != nil {
		return err
	}
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		out.Reset()
		try := exec.Command("pkexec", "--disable-internal-agent", "/bin/true")
		try.Stdout, try.Stderr = &out, &out
		if err = try.Run(); err == nil {
			return nil
		}
	}
	return errors.Join(err, errors.New(out.String()))
})

func need(t *testing.T) {
	t.Helper()
	st.NeedSudo(t)
	if err := started(); err != nil {
		ways.Need(t, "polkit", err.Error())
	}
}
