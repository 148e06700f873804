//go:build linux

package xssh

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/transport/xssh"
)

// A daemon is a real sshd of this user's own, on a port of its own.
type daemon struct {
	port          int
	log           string
	hostKey, dir  string
	userKey       string // that it takes
	known, config string // files of a caller
	process       *os.Process
}

// keygen runs ssh-keygen.
func keygen(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ssh-keygen", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen %q: %v %s", args, err, out)
	}
	return string(out)
}

func newKey(t *testing.T, path, kind, passphrase string) string {
	t.Helper()
	keygen(t, "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", path)
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// newDaemon starts one with further settings; in them, DIR is its directory.
func newDaemon(t *testing.T, settings string) *daemon {
	t.Helper()
	st.NeedSSH(t)
	d := &daemon{dir: t.TempDir()}
	d.hostKey = newKey(t, d.in("host"), "ed25519", "")
	d.userKey = newKey(t, d.in("user"), "ed25519", "")
	write(t, d.in("authorized"), read(t, d.userKey+".pub"))
	path, err := exec.LookPath("sshd")
	if err != nil {
		path = "/usr/sbin/sshd"
	}
	for try := range 5 { // the port may be taken between the choice and the start
		if d.start(t, path, settings) {
			break
		}
		if try == 4 {
			t.Fatalf("sshd does not start: %s", read(t, d.log))
		}
	}
	d.known = write(t, d.in("known"), fmt.Sprintf("[127.0.0.1]:%d %s", d.port, read(t, d.hostKey+".pub")))
	d.config = write(t, d.in("config"), "")
	return d
}

func (d *daemon) in(name string) string { return filepath.Join(d.dir, name) }

func (d *daemon) start(t *testing.T, path, settings string) bool {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of this machine
	must(t, err)
	d.port = l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	d.log = d.in("log")
	config := write(t, d.in("sshd_config"), strings.ReplaceAll(settings, "DIR", d.dir)+fmt.Sprintf(`
ListenAddress 127.0.0.1
Port %d
HostKey %s
PidFile none
UsePAM no
StrictModes no
AuthorizedKeysFile %s
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PrintMotd no
LogLevel VERBOSE
`, d.port, d.hostKey, d.in("authorized")))
	cmd := exec.Command(path, "-D", "-f", config, "-E", d.log) //nolint:noctx // the cleanup ends it
	must(t, cmd.Start())
	d.process = cmd.Process
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, _ := os.ReadFile(d.log)
		if bytes.Contains(text, []byte("Server listening")) {
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				<-ended
				if t.Failed() {
					t.Logf("sshd on port %d said: %s", d.port, read(t, d.log))
				}
			})
			return true
		}
		select {
		case <-ended:
			return false
		default:
		}
	}
	_ = cmd.Process.Kill()
	<-ended
	return false
}

// hop goes to it with its key.
func (d *daemon) hop() xssh.SSH {
	return xssh.SSH{Host: "127.0.0.1", Port: d.port, User: st.User, ConfigFile: "none", KnownHosts: d.known, Identity: d.userKey, ConnectTimeout: patience}
}

// logins is how many there were.
func (d *daemon) logins(t *testing.T) int {
	t.Helper()
	return strings.Count(read(t, d.log), "Accepted publickey")
}

// configured goes to it with a configuration of its own, in which a line break begins with the settings of the host "there".
func (d *daemon) configured(t *testing.T, settings string) xssh.SSH {
	t.Helper()
	write(t, d.config, "Host there\n  HostName 127.0.0.1\n  Port "+strconv.Itoa(d.port)+"\n  User "+st.User+
		"\n  GlobalKnownHostsFile /dev/null\n"+strings.ReplaceAll(settings, "DIR", d.dir))
	return xssh.SSH{Host: "there", ConfigFile: d.config, ConnectTimeout: patience}
}

const usual = "  UserKnownHostsFile DIR/known\n  IdentityFile DIR/user\n"

// reload has it read its files again.
func (d *daemon) reload(t *testing.T) {
	t.Helper()
	before := strings.Count(read(t, d.log), "Server listening")
	must(t, d.process.Signal(syscall.SIGHUP))
	for deadline := time.Now().Add(patience); strings.Count(read(t, d.log), "Server listening") == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not read its files again")
		}
	}
}
