package transport_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/seed354a1416/deliveryboy/tests/sshd"
	"github.com/seed354a1416/deliveryboy/transport"
)

var (
	viaSudo   = transport.Sudo{User: "www"}
	viaSSH    = transport.SSH{Host: "web1", NoShare: true}
	viaGate   = transport.SSH{Host: "gate", NoShare: true}
	viaUserns = transport.Userns{}
	viaPod    = transport.Kubectl{Pod: "web-0"}
)

// TestDiagnoseRecorded uses texts recorded from sudo 1.9.13p3, OpenSSH 9.2p1, util-linux 2.38.1, dash and bash.
func TestDiagnoseRecorded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		via    transport.Transport
		code   int
		stderr string
		hop    string
		reason string
	}{
		{viaSudo, 1, "sudo: a password is required\n", "sudo=www", transport.ReasonPassword},
		{viaSudo, 1, "sync is not in the sudoers file.\n", "sudo=www", transport.ReasonNotAllowed},
		{viaSudo, 1, "Sorry, user nobody is not allowed to execute '/bin/ls' as root on vm.\n", "sudo=www", transport.ReasonNotAllowed},
		{viaSudo, 1, "sudo: account validation failure, is your account locked?\nsudo: a password is required\n", "sudo=www", transport.ReasonNotAllowed},
		{viaSudo, 1, "sudo: Account or password is expired, reset your password and try again\nsudo: a password is required\n", "sudo=www", transport.ReasonNotAllowed},
		{viaSudo, 1, "sudo: you are not permitted to use the -D option with /usr/bin/pwd\n", "sudo=www", transport.ReasonNotAllowed},
		{viaSudo, 1, "sudo: you are not permitted to use the -R option with /bin/pwd\n", "sudo=www", transport.ReasonNotAllowed},
		{viaSudo, 1, "sudo: unknown user nosuch\nsudo: error initializing audit plugin sudoers_audit\n", "sudo=www", transport.ReasonUnknownUser},
		{viaSudo, 1, "sudo: unknown group nosuchg\nsudo: error initializing audit plugin sudoers_audit\n", "sudo=www", transport.ReasonUnknownUser},
		{viaSudo, 1, "sudo: you do not exist in the passwd database\n", "sudo=www", transport.ReasonUnknownUser},
		{viaSudo, 1, "sudo: /no/such: command not found\n", "sudo=www", transport.ReasonNotFound},
		{viaSudo, 1, "sudo: unable to execute /mnt/true: Permission denied\n", "sudo=www", transport.ReasonNotRunnable},
		{viaSudo, 1, "sudo: sorry, you must have a tty to run sudo\n", "sudo=www", transport.ReasonNoTerminal},
		{viaSudo, 1, "sudo: The \"no new privileges\" flag is set, which prevents sudo from running as root.\nsudo: If sudo is " +
			"running in a container, you may need to adjust the container configuration to disable the flag.\n", "sudo=www", transport.ReasonNoPrivilege},
		{viaSudo, 1, "sudo: effective uid is not 0, is /mnt/sudo on a file system with the 'nosuid' option set or an NFS file " +
			"system without root privileges?\n", "sudo=www", transport.ReasonNoPrivilege},
		{viaSudo, 1, "sudo: /etc/sudoers is world writable\nsudo: no valid sudoers sources found, quitting\n" +
			"sudo: error initializing audit plugin sudoers_audit\n", "sudo=www", transport.ReasonMisset},
		{viaSudo, 1, "sudo: unable to change directory to /nonexistent: No such file or directory\n" +
			"This account is currently not available.\n", "sudo=www", transport.ReasonNoLogin},
		{viaSudo, 1, "This account is currently not available.\n", "sudo=www", transport.ReasonNoLogin},
		{viaSudo, 1, "motd\r\nsudo: a password is required\r\n", "sudo=www", transport.ReasonPassword},

		{viaSSH, 255, "ssh: Could not resolve hostname web1: Name or service not known\r\n", "ssh=web1//no_share", transport.ReasonUnknownHost},
		{viaSSH, 255, "ssh: connect to host web1 port 1: Connection refused\r\n", "ssh=web1//no_share", transport.ReasonRefused},
		{viaSSH, 255, "ssh: connect to host web1 port 22: Connection timed out\r\n", "ssh=web1//no_share", transport.ReasonTimeout},
		{viaSSH, 255, "ssh: connect to host web1 port 22: No route to host\r\n", "ssh=web1//no_share", transport.ReasonUnreachable},
		{viaSSH, 255, "Warning: Permanently added '[127.0.0.1]:2299' (ED25519) to the list of known hosts.\r\n" +
			"root@web1: Permission denied (publickey,password,keyboard-interactive).\r\n", "ssh=web1//no_share", transport.ReasonAuth},
		{viaSSH, 255, "Host key verification failed.\r\n", "ssh=web1//no_share", transport.ReasonHostKey},
		{viaSSH, 255, "@@@@@@@@@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@@@@@@@@@\r\n" +
			"Host key verification failed.\r\n", "ssh=web1//no_share", transport.ReasonHostChanged},
		{viaSSH, 255, "Bad owner or permissions on /root/.ssh/config\r\n", "ssh=web1//no_share", transport.ReasonConfig},
		{viaSSH, 255, "Can't open user config file /nonexist: No such file or directory\r\n", "ssh=web1//no_share", transport.ReasonConfig},
		{viaSSH, 255, "command-line: line 0: Bad configuration option: nope\r\n", "ssh=web1//no_share", transport.ReasonConfig},
		{viaSSH, 255, "Connection closed by 127.0.0.1 port 2298\r\n", "ssh=web1//no_share", transport.ReasonClosed},
		{viaSSH, 255, "unix_listener: cannot bind to path /x.SC5xZaId17y0xoi9: No such file or directory\r\n", "ssh=web1//no_share", transport.ReasonConfig},

		{viaSSH, 127, "sh: 1: /no/such: not found\n", "ssh=web1//no_share", transport.ReasonNotFound},
		{viaSSH, 127, "bash: line 1: /no/such: No such file or directory\n", "ssh=web1//no_share", transport.ReasonNotFound},
		{viaSSH, 127, "bash: nosuch: command not found\n", "ssh=web1//no_share", transport.ReasonNotFound},
		{viaSSH, 126, "sh: 1: /mnt/true: Permission denied\n", "ssh=web1//no_share", transport.ReasonNotRunnable},
		{viaSSH, 126, "bash: /tmp: Is a directory\n", "ssh=web1//no_share", transport.ReasonNotRunnable},
		{viaSSH, 126, "sh: 1: ./junk: Exec format error\n", "ssh=web1//no_share", transport.ReasonNotRunnable},
		{viaSSH, 126, "bash: ./junk: cannot execute binary file: Exec format error\n", "ssh=web1//no_share", transport.ReasonNotRunnable},

		{viaUserns, 1, "unshare: unshare failed: Operation not permitted\n", "userns", transport.ReasonNoPrivilege},
		{viaUserns, 1, "unshare: unshare failed: No space left on device\n", "userns", transport.ReasonNoPrivilege},
		{viaUserns, 127, "unshare: failed to execute /no/such: No such file or directory\n", "userns", transport.ReasonNotFound},
		{viaUserns, 126, "unshare: failed to execute /etc/passwd: Permission denied\n", "userns", transport.ReasonNotRunnable},

		{transport.Doas{}, 1, "doas: Authentication required\n", "doas", transport.ReasonPassword},
		{transport.Doas{}, 1, "doas: doas is not enabled, /etc/doas.conf: No such file or directory\n", "doas", transport.ReasonMisset},
		{transport.Doas{}, 1, "doas: /etc/doas.conf is writable by group or other\n", "doas", transport.ReasonMisset},
		{transport.Doas{}, 1, "doas: syntax error at line 4\n", "doas", transport.ReasonMisset},
		{transport.Su{}, 1, "Password: su: Authentication failure\n", "su", transport.ReasonPassword},
		{transport.Su{User: "www"}, 1, "This account is currently not available.\n", "su=www", transport.ReasonNoLogin},
		{transport.Pkexec{}, 127, "Error getting authority: Error initializing authority: Could not connect: No such file or directory\n",
			"pkexec", transport.ReasonMisset},
		{transport.Pkexec{User: "nosuch"}, 127, "User `nosuch' does not exist.\n", "pkexec=nosuch", transport.ReasonUnknownUser},
		{transport.Pkexec{}, 127, "Error accessing /no/such: No such file or directory\n", "pkexec", transport.ReasonNotFound},
		{transport.SystemdRun{}, 1, "System has not been booted with systemd as init system (PID 1). Can't operate.\n" +
			"Failed to connect to bus: Host is down\n", "systemd_run", transport.ReasonMisset},
		{transport.Machinectl{Machine: "web1"}, 1, "Failed to connect to bus: Host is down\n", "machinectl=web1", transport.ReasonMisset},
		{transport.Docker{Container: "c"}, 1, "Error response from daemon: Container e820db57 is not running\n", "docker=c", transport.ReasonClosed},
		{transport.Docker{Container: "c"}, 1, "permission denied while trying to connect to the Docker daemon socket at " +
			"unix:///var/run/docker.sock: Get \"http://%2Fvar\": dial unix /var/run/docker.sock: connect: permission denied\n",
			"docker=c", transport.ReasonNotAllowed},
		{viaPod, 1, "E1121 08:32:40.6 15189 memcache.go:265] \"Unhandled Error\" err=\"couldn't get current server API group list\"\n" +
			"The connection to the server localhost:8080 was refused - did you specify the right host or port?\n",
			"kubectl=web-0", transport.ReasonRefused},
		{viaPod, 1, "error: stat /no/such: no such file or directory\n", "kubectl=web-0", transport.ReasonConfig},
		{viaPod, 1, "Error in configuration: context was not found for specified context: nosuch\n", "kubectl=web-0", transport.ReasonConfig},
		{transport.LXCAttach{Container: "c1"}, 1, "lxc-attach: c1: ../src/lxc/attach.c: get_attach_context: 406 Connection refused - " +
			"Failed to get init pid\n", "lxc_attach=c1", transport.ReasonUnknownHost},
		{transport.SRun{}, 1, "srun: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n" +
			"srun: fatal: Could not establish a configuration source\n", "srun", transport.ReasonConfig},
		{transport.SRun{}, 1, "srun: job 310 queued and waiting for resources\nsrun: Job allocation 310 has been revoked\n" +
			"srun: Force Terminated JobId=310\n", "srun", transport.ReasonBusy},
		{transport.SRun{}, 1, "srun: Cancelled pending job step with signal 15\n" +
			"srun: error: Unable to create step for job 270: Job/step already completing or completed\n", "srun", transport.ReasonBusy},
		{transport.SRun{}, 1, "srun: job 7 queued and waiting for resources\nsrun: job 7 has been allocated resources\n", "", ""},

		// Which of several hops.
		{transport.Chain{viaSSH, transport.Su{}}, 127, "sh: 1: /opt/app: not found\n", "", transport.ReasonNotFound},
		{transport.Chain{viaSSH, transport.Docker{Container: "c"}}, 127, "sh: 1: /usr/bin/docker: not found\n", "docker=c", transport.ReasonNotFound},
		{transport.Chain{viaSSH, transport.Setpriv{User: "a", Group: "a"}}, 1, "setpriv: failed to parse reuid: 'a'\n",
			"setpriv=a//group=a", transport.ReasonUnknownUser},
		{transport.Chain{viaSSH, viaSudo}, 1, "sudo: a password is required\n", "sudo=www", transport.ReasonPassword},
		{transport.Chain{viaSSH, viaSudo}, 127, "sh: 1: /usr/bin/sudo: not found\n", "sudo=www", transport.ReasonNotFound},
		{transport.Chain{viaSudo, viaSudo}, 1, "sudo: a password is required\n", "", transport.ReasonPassword},
		{transport.Chain{viaGate, viaSSH}, 255, "ssh: Could not resolve hostname web1: Name or service not known\r\n",
			"ssh=web1//no_share", transport.ReasonUnknownHost},
		{transport.Chain{viaGate, viaSSH}, 255, "root@gate: Permission denied (publickey).\r\n", "ssh=gate//no_share", transport.ReasonAuth},
		{transport.Chain{viaGate, viaSSH}, 127, "sh: 1: /usr/bin/ssh: not found\n", "ssh=web1//no_share", transport.ReasonNotFound},
		{transport.Chain{viaGate, viaSSH}, 255, "Host key verification failed.\r\n", "", transport.ReasonHostKey},
		{transport.Command{Prefix: []string{"env"}}, 1, "sudo: a password is required\n", "", transport.ReasonPassword},

		// Nothing to tell.
		{viaSudo, 0, "sudo: a password is required\n", "", ""},
		{viaSudo, 7, "sudo: a password is required\n", "", ""},
		{viaSudo, 1, "panic: boom\n", "", ""},
		{viaSudo, 1, "the log said sudo: a password is required\n", "", ""},
		{viaSSH, 255, "", "", ""},
		{viaSSH, 1, "root@web1: Permission denied (publickey).\n", "", ""},
		{nil, 1, "", "", ""},
	} {
		got := transport.Diagnose(c.via, transport.Exit{Code: c.code, Stderr: c.stderr})
		if got.Hop != c.hop || got.Reason != c.reason || (got.Advice == "") != (c.reason == "") {
			t.Errorf("%v, %d, %.60q: got %+v, want hop %q, reason %q", c.via, c.code, c.stderr, got, c.hop, c.reason)
		}
	}
	for _, via := range []transport.Transport{viaSSH, viaSudo, transport.Su{User: "www"}} {
		got := transport.Diagnose(via, transport.Exit{Code: 1, Stdout: "motd\nThis account is currently not available.\n"})
		if got.Reason != transport.ReasonNoLogin || got.Hop != via.String() {
			t.Errorf("%s: got %+v", via, got)
		}
	}
	got := transport.Diagnose(viaSudo, transport.Exit{Code: -1, Signal: "killed", Stderr: "sudo: a password is required\n"})
	if got.Reason != transport.ReasonSignal || got.Advice == "" || got.Hop != "" {
		t.Errorf("signal: got %+v", got)
	}
}

// inMounts runs argv where a file of ours stands over another one, in a mount namespace that nobody else sees.
func inMounts(over, path string, argv ...string) *exec.Cmd {
	script := `mount --bind "$1" "$2" || exit 99; shift 2; exec "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", script, "sh", over, path}, argv...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// TestDiagnoseRealSudo makes the real sudo fail, with rules of ours in a private mount namespace.
func TestDiagnoseRealSudo(t *testing.T) {
	needRoot(t)
	for _, program := range []string{"sudo", "unshare", "setpriv"} {
		need(t, program)
	}
	rules := filepath.Join(t.TempDir(), "sudoers")
	if err := os.WriteFile(rules, []byte("Defaults:nobody,sync !authenticate\nDefaults:games requiretty\n"+
		"root ALL=(ALL:ALL) ALL\nnobody ALL=(root) NOPASSWD: /bin/true\ngames ALL=(ALL) NOPASSWD: ALL\n"+
		"daemon ALL=(ALL) ALL\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	as := func(user string) []string {
		return []string{"setsid", "-w", "setpriv", "--reuid", user, "--regid", "65534", "--clear-groups", "--"}
	}
	for _, c := range []struct {
		name   string
		before []string
		via    transport.Sudo
		argv   string
		reason string
	}{
		{"allowed", as("nobody"), transport.Sudo{}, "/bin/true", ""},
		{"other program", as("nobody"), transport.Sudo{}, "/bin/ls", transport.ReasonNotAllowed},
		{"other user", as("nobody"), transport.Sudo{User: "daemon"}, "/bin/true", transport.ReasonNotAllowed},
		{"directory", as("nobody"), transport.Sudo{Dir: "/tmp"}, "/bin/true", transport.ReasonNotAllowed},
		{"root directory", as("nobody"), transport.Sudo{Chroot: "/usr"}, "/bin/true", transport.ReasonNotAllowed},
		{"not in sudoers", as("sync"), transport.Sudo{}, "/bin/true", transport.ReasonNotAllowed},
		{"password", as("daemon"), transport.Sudo{}, "/bin/true", transport.ReasonPassword},
		{"requiretty", as("games"), transport.Sudo{}, "/bin/true", transport.ReasonNoTerminal},
		{"nobody knows", as("54321"), transport.Sudo{}, "/bin/true", transport.ReasonUnknownUser},
		{"no new privileges", append([]string{"setpriv", "--no-new-privs"}, as("nobody")...), transport.Sudo{}, "/bin/true",
			transport.ReasonNoPrivilege},
		{"user", nil, transport.Sudo{User: "no-such-user"}, "/bin/true", transport.ReasonUnknownUser},
		{"group", nil, transport.Sudo{Group: "no-such-group"}, "/bin/true", transport.ReasonUnknownUser},
		{"program", nil, transport.Sudo{}, "/no/such/app", transport.ReasonNotFound},
		{"login", nil, transport.Sudo{User: "nobody", Login: true}, "/bin/true", transport.ReasonDirectory},
	} {
		argv, err := transport.Build(c.via, []string{c.argv})
		if err != nil {
			t.Fatal(err)
		}
		_, exit := ended(t, inMounts(rules, "/etc/sudoers", append(c.before, argv...)...))
		got := transport.Diagnose(c.via, exit)
		if got.Reason != c.reason || (c.reason != "" && got.Hop != c.via.String()) || (c.reason == "") != (exit.Code == 0) {
			t.Errorf("%s: %+v gave %+v, want %q", c.name, exit, got, c.reason)
		}
	}
}

// TestDiagnoseRealSSH makes the real ssh fail without a server.
func TestDiagnoseRealSSH(t *testing.T) {
	need(t, "ssh")
	t.Setenv("XDG_RUNTIME_DIR", privateDir(t))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { // closes each connection without a word
		defer close(served)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-served })
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("Bogus yes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := transport.SSH{Host: "127.0.0.1", ConfigFile: "none", NoShare: true}
	for _, c := range []struct {
		change func(*transport.SSH)
		reason string
	}{
		{func(s *transport.SSH) { s.Port = sshd.FreePort(t) }, transport.ReasonRefused},
		{func(s *transport.SSH) { s.Port = listener.Addr().(*net.TCPAddr).Port }, transport.ReasonClosed},
		{func(s *transport.SSH) { s.ConfigFile = config }, transport.ReasonConfig},
		{func(s *transport.SSH) { s.ConfigFile = dir + "/missing" }, transport.ReasonConfig},
		{func(s *transport.SSH) { s.Options = []string{"NoSuchOption=1"} }, transport.ReasonConfig},
		{func(s *transport.SSH) { s.Host = "no-such-host.invalid" }, transport.ReasonUnknownHost},
	} {
		via := base
		c.change(&via)
		_, exit := outcome(t, via, "/bin/true")
		got := transport.Diagnose(via, exit)
		if exit.Code != 255 || got.Reason != c.reason || got.Hop != via.String() {
			t.Errorf("%s: %+v gave %+v, want %q", via, exit, got, c.reason)
		}
	}
}

// TestDiagnoseRealUnshare makes the real unshare fail: in a changed root the kernel forbids user namespaces, and a
// namespace may forbid further ones.
func TestDiagnoseRealUnshare(t *testing.T) {
	needRoot(t)
	need(t, "unshare")
	via := transport.Userns{}
	if exec.Command("unshare", "--user", "true").Run() != nil {
		t.Skip("user namespaces are not allowed here")
	}
	argv, err := transport.Build(via, []string{"/bin/true"})
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for script, reason := range map[string]string{
		fmt.Sprintf(`mount --bind / %s && exec chroot %s "$@"`, root, root):                      transport.ReasonNoPrivilege,
		`exec unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh "$@"`: transport.ReasonNoPrivilege,
	} {
		cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c", script, "sh"}, argv...)...)
		_, exit := ended(t, cmd)
		if got := transport.Diagnose(via, exit); got.Reason != reason || got.Hop != "userns" {
			t.Errorf("%s: %+v gave %+v", script, exit, got)
		}
	}
	for far, reason := range map[string]string{
		"/no/such": transport.ReasonNotFound, "/etc/passwd": transport.ReasonNotRunnable,
	} {
		_, exit := outcome(t, via, far)
		if got := transport.Diagnose(via, exit); got.Reason != reason || got.Hop != "userns" {
			t.Errorf("%s: %+v gave %+v", far, exit, got)
		}
	}
}
