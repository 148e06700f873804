package transports

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed354a1416/deliveryboy/tests/rootfs"
)

// once makes the private place ready for all tests: rules of doas, a su that trusts, and jails. Nothing of it is the
// machine's own.
var once = sync.OnceValue(func() error {
	return errors.Join(
		os.WriteFile("/etc/doas.conf", []byte("permit nopass "+st.User+" as root\npermit nopass "+st.User+" as "+st.Second+"\n"), 0o600),
		trustInSu(),
		makeJail(jail(), true),
		makeJail(bareJail(), false),
	)
})

func prepare(t *testing.T) {
	t.Helper()
	need(t)
	must(t, once())
}

const (
	pamSu = "/etc/pam.d/su"
	trust = "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n"
)

// trustInSu lets su take everybody's word, also where pam_unix could not read the account: that of su under no_new_privs
// depends on what else answers for root (libnss-systemd does).
func trustInSu() error {
	text, err := os.ReadFile(pamSu)
	if err != nil {
		return err
	}
	return os.WriteFile(pamSu, append([]byte(trust), text...), 0o644)
}

func jail() string     { return filepath.Join(st.Dir, "jail") }
func bareJail() string { return filepath.Join(st.Dir, "bare") }

// makeJail makes a root directory with this program at its usual path and a shell, and with /proc and /dev or without.
func makeJail(dir string, whole bool) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := rootfs.Make(dir, map[string]string{st.Binary: st.Binary}); err != nil {
		return err
	}
	if err := rootfs.AddShell(dir); err != nil {
		return err
	}
	passwd, err := os.ReadFile("/etc/passwd") // the suite compares it
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(dir+"/etc/passwd", passwd, 0o644), os.Chmod(dir+"/tmp", 0o1777))
	if err != nil {
		return err
	}
	if !whole {
		return os.WriteFile(dir+"/dev/null", nil, 0o666)
	}
	return errors.Join(exec.Command("mount", "-t", "proc", "proc", dir+"/proc").Run(), exec.Command("mount", "--rbind", "/dev", dir+"/dev").Run())
}

// elsewhere starts a process in namespaces of its own, and returns its number as it is here.
func elsewhere(t *testing.T, namespaces ...string) int {
	t.Helper()
	cmd := exec.Command("unshare", append(namespaces, "--", "sh", "-c", "echo here; exec cat")...)
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || strings.TrimSpace(line) != "here" {
		t.Fatalf("%q, %v", line, err)
	}
	children, err := st.Children(cmd.Process.Pid)
	must(t, err)
	if len(children) == 1 { // with --fork
		return children[0].PID
	}
	return cmd.Process.Pid
}
