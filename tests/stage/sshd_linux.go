package stage

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const sshDir = dir + "/ssh"

// sshd is the running server; one at a time.
type sshd struct {
	cmd  *exec.Cmd
	died chan struct{} // closed when it has been waited for
	log  string
	from int64 // where its part of the log begins
}

// setUpSSH starts the server and writes what a client needs. What is missing on the machine becomes a reason to skip.
func (f *first) setUpSSH() error {
	s := f.stage
	for _, name := range []string{"sshd", "ssh", "ssh-keygen"} {
		if !installed(name) {
			s.Why[SSH] = name + " is not installed; run: go run ./tests/stage/install"
			return nil
		}
	}
	s.Identity, s.KnownHosts = s.Home+"/.ssh/id_ed25519", s.Home+"/.ssh/known_hosts"
	s.SSHConfig, s.SSHDLog = s.Home+"/.ssh/config", sshDir+"/log"
	if err := f.makeKeys(); err != nil {
		return err
	}
	var err error
	for range 5 { // the port may be taken between the choice and the start
		if s.SSHPort, err = freePort(); err != nil {
			return err
		}
		if err = f.startSSHD(sshDir + "/host"); err == nil {
			return f.writeClientFiles()
		}
	}
	s.Why[SSH] = err.Error()
	return nil
}

func (f *first) makeKeys() error {
	s := f.stage
	for _, path := range []string{sshDir + "/host", sshDir + "/other", s.Identity} {
		if out, err := f.reaper.output(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stage", "-f", path)); err != nil {
			return fmt.Errorf("ssh-keygen: %w %.200q", err, out)
		}
	}
	public, err := os.ReadFile(s.Identity + ".pub")
	if err != nil {
		return err
	}
	return errors.Join(
		os.Chown(s.Identity, s.UID, s.GID), os.Chown(s.Identity+".pub", s.UID, s.GID),
		writeAs(s.Home+"/.ssh/authorized_keys", public, 0o600, s.UID, s.GID),
		writeAs(s.SecondHome+"/.ssh/authorized_keys", public, 0o600, s.SecondUID, s.SecondGID),
	)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (f *first) serverConfig(hostKey string) string {
	setEnv := ""
	if race := os.Getenv("GORACE"); race != "" && !strings.ContainsAny(race, "\"\\\n") {
		setEnv = "SetEnv \"GORACE=" + race + "\"\n" // as in sudoers
	}
	return fmt.Sprintf(`ListenAddress 127.0.0.1
Port %d
HostKey %s
PidFile none
AllowUsers %s %s
UsePAM no
StrictModes yes
PubkeyAuthentication yes
AuthorizedKeysFile .ssh/authorized_keys
PasswordAuthentication yes
KbdInteractiveAuthentication no
PermitRootLogin no
MaxStartups 200
MaxSessions 200
UseDNS no
PrintMotd no
PrintLastLog no
LogLevel VERBOSE
Subsystem sftp internal-sftp
%s`, f.stage.SSHPort, hostKey, f.stage.User, f.stage.Second, setEnv)
}

// startSSHD returns when the server answers.
func (f *first) startSSHD(hostKey string) error {
	config := sshDir + "/sshd_config"
	if err := writeAs(config, []byte(f.serverConfig(hostKey)), 0o644, 0, 0); err != nil {
		return err
	}
	path, err := exec.LookPath("sshd")
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil { // it starts itself again for every client
		return err
	}
	args := []string{"-D", "-e", "-f", config}
	// From 9.8 on, a server slows down an address whose logins fail, and all of ours come from one.
	const lenient = "-oPerSourcePenalties=no"
	if _, err := f.reaper.output(exec.Command(path, "-t", "-f", config, lenient)); err == nil {
		args = append(args, lenient)
	}
	log, err := os.OpenFile(f.stage.SSHDLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	before, err := log.Stat()
	if err != nil {
		return err
	}
	d := &sshd{cmd: exec.Command(path, args...), died: make(chan struct{}), log: f.stage.SSHDLog, from: before.Size()}
	d.cmd.Env = []string{"PATH=" + securePath}
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.Dir = log, log, "/"
	if err := f.reaper.start(d.cmd); err != nil {
		return err
	}
	go func() {
		_ = d.cmd.Wait() // how it ended is in its log
		close(d.died)
	}()
	if err := d.ready(f.stage.SSHPort); err != nil {
		d.stop()
		text, _ := os.ReadFile(f.stage.SSHDLog)
		return fmt.Errorf("sshd on port %d: %w: %.400q", f.stage.SSHPort, err, text)
	}
	f.sshd, f.stage.SSHDPID = d, d.cmd.Process.Pid
	return nil
}

// ready waits until the server greets, or has died, or ten seconds are over.
func (d *sshd) ready(port int) error {
	deadline := time.Now().Add(10 * time.Second)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := d.listens()
		if err == nil {
			err = greets(port, deadline)
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready in time: %w", err)
		}
		select {
		case <-d.died:
			return errors.New("it ended")
		case <-again.C:
		}
	}
}

// listens reads the log, because the one that answers on the port could be somebody else's.
func (d *sshd) listens() error {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err
	}
	if !bytes.Contains(text[min(d.from, int64(len(text))):], []byte("Server listening on 127.0.0.1")) {
		return errors.New("its log does not say that it listens")
	}
	return nil
}

func greets(port int, deadline time.Time) error {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Until(deadline))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	greeting := make([]byte, 4)
	if _, err := c.Read(greeting); err != nil {
		return err
	}
	if !bytes.Equal(greeting, []byte("SSH-")) {
		return fmt.Errorf("another server greets with %q", greeting)
	}
	return nil
}

// stop ends the listening server; sessions that it started go on.
func (d *sshd) stop() {
	_ = d.cmd.Process.Kill() // only fails when it has ended
	<-d.died
}

func (f *first) writeClientFiles() error {
	s := f.stage
	key, err := os.ReadFile(sshDir + "/host.pub")
	if err != nil {
		return err
	}
	fields := strings.Fields(string(key))
	known := fmt.Sprintf("[127.0.0.1]:%d %s %s\n", s.SSHPort, fields[0], fields[1])
	config := fmt.Sprintf(`Host stage-second
  User %s
Host stage stage-second 127.0.0.1
  HostName 127.0.0.1
  Port %d
  User %s
  IdentityFile %s
  IdentitiesOnly yes
  UserKnownHostsFile %s
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  BatchMode yes
  ConnectTimeout 10
`, s.Second, s.SSHPort, s.User, s.Identity, s.KnownHosts)
	return errors.Join(
		writeAs(s.KnownHosts, []byte(known), 0o600, s.UID, s.GID),
		writeAs(s.SSHConfig, []byte(config), 0o600, s.UID, s.GID),
	)
}
