//go:build linux

package passwords

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestTheKeyring answers two hops, each with its own password, out of a real keyring behind a message bus.
func TestTheKeyring(t *testing.T) {
	accounts(t)
	needsProgram(t, "secret-tool")
	ask := password.Keyring("deliveryboy")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	if _, err := ask(limited(t), password.Prompt{Hop: "sudo"}); err == nil || errors.Is(err, password.ErrNone) {
		t.Errorf("without a bus: %v", err)
	}
	keyring(t)
	hop := transport.Sudo{ResetTicket: true}
	for name, secret := range map[string]string{hop.String(): st.Password, "su=" + st.Second: "wrong"} {
		run(t, secret, "secret-tool", "store", "--label="+name, "service", "deliveryboy", "hop", name)
	}
	rules(t, "")
	if got, err := look.On(delivery.Once{Via: hop, Ask: ask})(); err != nil || got.UID != 0 {
		t.Errorf("%+v", err)
	}
	_, err := look.On(delivery.Once{Via: transport.Su{User: st.Second}, Ask: ask})()
	if reason, _ := reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonWrong) {
		t.Errorf("%v", err)
	}
	if _, err := look.On(delivery.Once{Via: transport.Su{}, Ask: ask})(); !errors.Is(err, password.ErrNone) {
		t.Errorf("%v", err)
	}
	run(t, st.Password, "secret-tool", "store", "--label=all", "service", "everything")
	all := password.Command("/usr/bin/secret-tool", "lookup", "service", "everything")
	if _, err := look.On(delivery.Once{Via: hop, Ask: all})(); err != nil {
		t.Errorf("%+v", err)
	}
}

// busConfig is that of a session, but for the services that a bus starts by itself: who asked early would have it start a
// keyring that nobody unlocks.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// keyring starts a bus and an unlocked keyring of the test's own.
func keyring(t *testing.T) {
	t.Helper()
	for _, program := range []string{"secret-tool", "gnome-keyring-daemon", "dbus-daemon"} {
		needsProgram(t, program)
	}
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, []byte(busConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	bus := exec.CommandContext(t.Context(), "dbus-daemon", "--config-file="+config, "--nofork", "--print-address", "--address=unix:path="+filepath.Join(dir, "bus"))
	out, err := bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin(t, bus)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	daemon := exec.CommandContext(t.Context(), "gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets")
	daemon.Stdin = strings.NewReader("of the keyring itself")
	begin(t, daemon)
	for began := time.Now(); ; <-time.After(20 * time.Millisecond) {
		cmd := exec.CommandContext(t.Context(), "secret-tool", "store", "--label=ready", "service", "ready")
		cmd.Stdin = strings.NewReader("x")
		said, err := cmd.CombinedOutput()
		if err == nil {
			return
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("no keyring: %v %s", err, said)
		}
	}
}

// begin starts a process that ends with the test.
func begin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // by that signal, or by itself, as the bus is gone
	})
}

// run runs a program that has to succeed.
func run(t *testing.T, in string, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v %s", argv, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestThePasswordStore is pass, with a key of gpg's.
func TestThePasswordStore(t *testing.T) {
	needs(t)
	needsProgram(t, "pass")
	needsProgram(t, "gpg")
	rules(t, "")
	dir, err := os.MkdirTemp("/tmp", "gpg") // sockets are in it: the name has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("GNUPGHOME", dir)
	t.Setenv("PASSWORD_STORE_DIR", filepath.Join(dir, "store"))
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--kill", "all").Run() })
	run(t, "", "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "tests", "default", "default", "never")
	run(t, "", "pass", "init", "tests")
	run(t, st.Password+"\nits user is x\n", "pass", "insert", "--multiline", "hosts/web1")
	ask := password.Command("/usr/bin/pass", "show", "hosts/web1")
	if _, err := look.On(delivery.Once{Via: transport.Sudo{ResetTicket: true}, Ask: ask})(); err != nil {
		t.Errorf("%+v", err)
	}
	ask = password.Command("/usr/bin/pass", "show", "hosts/web2")
	if _, err := look.On(delivery.Once{Via: transport.Sudo{ResetTicket: true}, Ask: ask})(); err == nil || !strings.Contains(err.Error(), "not in the password store") {
		t.Errorf("%v", err)
	}
}

// TestTheKeysOfTheKernel are reached through keyctl.
func TestTheKeysOfTheKernel(t *testing.T) {
	needs(t)
	needsProgram(t, "keyctl")
	rules(t, "")
	id := run(t, st.Password, "keyctl", "padd", "user", "deliveryboy", "@u")
	t.Cleanup(func() {
		if out, err := exec.Command("keyctl", "unlink", id, "@u").CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	ask := password.Command("/usr/bin/keyctl", "pipe", "%user:deliveryboy")
	if _, err := look.On(delivery.Once{Via: transport.Sudo{ResetTicket: true}, Ask: ask})(); err != nil {
		t.Errorf("%+v", err)
	}
}
