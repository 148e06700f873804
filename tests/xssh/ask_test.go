//go:build linux

package xssh

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/session/hop"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/xssh"
)

// A knower answers questions by words in them, and remembers the questions.
type knower struct {
	answers map[string]string
	mu      sync.Mutex
	asked   []string
}

func knows(pairs ...string) *knower {
	k := &knower{answers: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		k.answers[pairs[i]] = pairs[i+1]
	}
	return k
}

func (k *knower) ask(_ context.Context, p password.Prompt) (box.Secret[string], error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, p.Text)
	for word, answer := range k.answers {
		if strings.Contains(p.Text, word) {
			return box.NewSecret(answer), nil
		}
	}
	return box.Secret[string]{}, errors.New("no idea")
}

func (k *knower) questions() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// TestPassphrase: a key is opened when the host takes it, with one question, and not before.
func TestPassphrase(t *testing.T) {
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		t.Run(kind, func(t *testing.T) {
			d := newDaemon(t, "")
			key := newKey(t, d.in("sealed"), kind, "open sesame")
			h := d.hop()
			h.Identity = key
			k := knows("passphrase for key '"+key+"'", "open sesame")
			_, err := whoami.On(delivery.Once{Via: h, Ask: k.ask})()
			judge(t, err, "is taken", xssh.ErrAuth)
			if q := k.questions(); len(q) > 0 {
				t.Errorf("asked %q for a key that the host does not take", q)
			}
			write(t, d.in("authorized"), read(t, key+".pub"))
			got, err := whoami.On(delivery.Once{Via: h, Ask: k.ask})()
			if err != nil || got != st.UID || len(k.questions()) != 1 {
				t.Errorf("%d, %+v; asked %q", got, err, k.questions())
			}
			_, err = whoami.On(delivery.Once{Via: h})()
			judge(t, err, "has a passphrase, and there is nobody to ask", xssh.ErrAuth)
			wrong := knows("passphrase", "guess")
			_, err = whoami.On(delivery.Once{Via: h, Ask: wrong.ask})()
			judge(t, err, "the passphrase is wrong", xssh.ErrAuth)
			if len(wrong.questions()) != 1 {
				t.Errorf("asked %q", wrong.questions())
			}
			if err != nil && strings.Contains(err.Error(), "guess") {
				t.Errorf("the error tells: %v", err)
			}
		})
	}
}

// TestAgent: an agent's keys are tried, or with IdentitiesOnly those of them that are named; what it holds needs no passphrase.
func TestAgent(t *testing.T) {
	d := newDaemon(t, "MaxAuthTries 2\n")
	socket := d.in("agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket) //nolint:noctx // the cleanup ends it
	must(t, agent.Start())
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no agent")
		}
	}
	add := func(key string) {
		cmd := exec.CommandContext(t.Context(), "ssh-add", "-q", key)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add: %v %s", err, out)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		add(newKey(t, d.in(name), "ed25519", ""))
	}
	add(d.userKey)
	keygen(t, "-q", "-p", "-P", "", "-N", "open sesame", "-f", d.userKey) // here it is sealed, there it is not
	known := "  UserKnownHostsFile DIR/known\n"
	call := func(settings string) error {
		_, err := whoami.On(delivery.Once{Via: d.configured(t, known+settings)})()
		return err
	}
	t.Setenv("SSH_AUTH_SOCK", "")
	judge(t, call("  IdentityFile DIR/user\n"), "nobody to ask", xssh.ErrAuth)
	judge(t, call("  IdentityAgent DIR/agent\n"), "is taken", xssh.ErrAuth) // too many keys before the right one
	judge(t, call("  IdentityAgent DIR/agent\n  IdentitiesOnly yes\n  IdentityFile DIR/user\n"), "", nil)
	must(t, os.Rename(d.userKey, d.in("away")))
	judge(t, call("  IdentityAgent DIR/agent\n  IdentitiesOnly yes\n  IdentityFile DIR/user\n"), "", nil) // its public half tells
	t.Setenv("SSH_AUTH_SOCK", socket)
	judge(t, call("  IdentitiesOnly yes\n  IdentityFile DIR/user\n"), "", nil)
	judge(t, call("  IdentityAgent none\n  IdentitiesOnly yes\n  IdentityFile DIR/user\n"), "no such file", xssh.ErrAuth)
}

// TestPassword: a password is asked for once, and hops behind ssh can ask as well.
func TestPassword(t *testing.T) {
	st.NeedSSH(t)
	st.NeedPassword(t)
	dir := t.TempDir()
	h := xssh.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, KnownHosts: st.KnownHosts, ConnectTimeout: patience,
		ConfigFile: write(t, dir+"/config", "Host *\n  PubkeyAuthentication no\n")}
	k := knows("'s password", st.Password)
	got, err := whoami.On(delivery.Once{Via: h, Ask: k.ask})()
	if err != nil || got != st.UID || len(k.questions()) != 1 || k.questions()[0] != st.User+"@127.0.0.1's password: " {
		t.Errorf("%d, %+v; asked %q", got, err, k.questions())
	}
	wrong := knows("'s password", "guess")
	_, err = whoami.On(delivery.Once{Via: h, Ask: wrong.ask})()
	judge(t, err, "it was tried once", xssh.ErrAuth)
	if len(wrong.questions()) != 1 || err != nil && strings.Contains(err.Error(), "guess") {
		t.Errorf("asked %q; %v", wrong.questions(), err)
	}
	_, err = whoami.On(delivery.Once{Via: h, Ask: knows().ask})()
	judge(t, err, "no idea", xssh.ErrAuth)
	_, err = whoami.On(delivery.Once{Via: h})()
	judge(t, err, "there is none", xssh.ErrAuth)
	h.ConfigFile = write(t, dir+"/config", "Host *\n  PubkeyAuthentication no\n  PasswordAuthentication no\n")
	_, err = whoami.On(delivery.Once{Via: h, Ask: k.ask})()
	judge(t, err, "unable to authenticate", xssh.ErrAuth)
}

// TestSudoBehind: sudo behind a connection of this process, or a session, asks here too.
func TestSudoBehind(t *testing.T) {
	st.NeedSSH(t)
	st.NeedSudo(t)
	st.NeedRoot(t)
	st.NeedPassword(t)
	st.Root.SetSudoers(t, st.User+" ALL=(root:ALL) ALL\n")
	gate, err := delivery.Open(t.Context(), transport.Self{})
	must(t, err)
	defer gate.Close()
	for name, via := range map[string]transport.Transport{
		"xssh": transport.Chain{stageHop(), transport.Sudo{}}, "session": transport.Chain{hop.Through(gate), transport.Sudo{}},
	} {
		k := knows("", st.Password)
		got, err := whoami.On(delivery.Once{Via: via, Ask: k.ask})()
		if err != nil || got != 0 || len(k.questions()) != 1 {
			t.Errorf("%s: %d, %+v; asked %q", name, got, err, k.questions())
		}
	}
}

// TestDialogue: a host may ask for a password and a code, and hear each answer once. The host is one of this test, because
// sshd asks through PAM alone.
func TestDialogue(t *testing.T) {
	host := newAsker(t)
	h := xssh.SSH{Host: "127.0.0.1", Port: host.port, User: "me", ConfigFile: "none", KnownHosts: host.known, Identity: "/nonexistent", ConnectTimeout: patience}
	k := knows("Password:", "secret", "Code:", "123456")
	s, err := delivery.Open(t.Context(), h, session.Options{Ask: k.ask})
	must(t, err)
	_, err = whoami.On(s)()
	must(t, err)
	must(t, s.Close())
	if q := k.questions(); len(q) != 2 || q[0] != "two ?[31msteps\n(me@127.0.0.1) Password: " || !strings.HasSuffix(q[1], "(me@127.0.0.1) Code: ") {
		t.Errorf("asked %q", q)
	}
	wrong := knows("Password:", "secret", "Code:", "654321")
	_, err = whoami.On(delivery.Once{Via: h, Ask: wrong.ask})()
	judge(t, err, "it was tried once", xssh.ErrAuth)
	if q := wrong.questions(); len(q) != 2 {
		t.Errorf("asked %q", q)
	}
}

// An asker is an ssh server that asks two questions, and runs what it is told as this user.
type asker struct {
	port  int
	known string
}

func newAsker(t *testing.T) *asker {
	t.Helper()
	key := newKey(t, t.TempDir()+"/host", "ed25519", "")
	signer, err := ssh.ParsePrivateKey([]byte(read(t, key)))
	must(t, err)
	config := &ssh.ServerConfig{
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "two \x1b[31msteps", []string{"Password: ", "Code: "}, []bool{false, true})
			if err != nil || len(answers) != 2 || answers[0] != "secret" || answers[1] != "123456" {
				return nil, errors.New("no")
			}
			return nil, nil
		},
	}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of this machine
	must(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { serveShell(conn, config) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); work.Wait() })
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	a := &asker{port: l.Addr().(*net.TCPAddr).Port}
	a.known = write(t, t.TempDir()+"/known", "[127.0.0.1]:"+port+" "+read(t, key+".pub"))
	return a
}

func serveShell(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { ssh.DiscardRequests(requests) })
	for c := range channels {
		stream, asked, err := c.Accept()
		if err != nil {
			return
		}
		work.Go(func() {
			defer stream.Close()
			for r := range asked {
				var command struct{ Text string }
				if r.Type != "exec" || ssh.Unmarshal(r.Payload, &command) != nil {
					_ = r.Reply(false, nil)
					continue
				}
				_ = r.Reply(true, nil)
				cmd := exec.Command("/bin/sh", "-c", command.Text) //nolint:noctx // ends with its stdin
				cmd.Stdout, cmd.Stderr = stream, stream.Stderr()
				in, err := cmd.StdinPipe()
				if err != nil || cmd.Start() != nil {
					return
				}
				work.Go(func() { copyTo(in, stream) })
				_ = cmd.Wait()
				_, _ = stream.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(cmd.ProcessState.ExitCode())}))
				return
			}
		})
	}
}

func copyTo(in io.WriteCloser, from io.Reader) {
	_, _ = io.Copy(in, from)
	_ = in.Close()
}
