//go:build linux

package passwords

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// withPassword is a hop to the stage's sshd that has no key.
func withPassword() transport.SSH {
	return transport.SSH{
		Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig, NoShare: true,
		Options: []string{"PubkeyAuthentication=no", "PreferredAuthentications=password"},
	}
}

// withKey is a hop that needs no password.
func withKey() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig, NoShare: true}
}

func needsSSH(t *testing.T) {
	t.Helper()
	needs(t)
	st.NeedSSH(t)
}

func TestSSHAsks(t *testing.T) {
	needsSSH(t)
	k := gives(st.Password)
	got, err := look.On(delivery.Once{Via: withPassword(), Ask: k.ask})()
	if err != nil || got.UID != st.UID {
		t.Fatalf("%+v, %+v", got, err)
	}
	if a := k.asked(); len(a) != 1 || !strings.Contains(a[0].Text, st.User+"@127.0.0.1's password") || a[0].Hop != withPassword().String() {
		t.Errorf("asked %+v", a)
	}
	isClean(t, got)
	leavesNothing(t)
	if got, err := look.On(delivery.Once{Via: withKey(), Ask: k.ask})(); err != nil || len(k.asked()) != 1 {
		t.Errorf("with a key: asked %v, %+v, %v", k.asked(), got, err)
	}
}

// TestSSHRefuses a password, and the call says so. Without Ask, nobody asked.
func TestSSHRefuses(t *testing.T) {
	needsSSH(t)
	k := gives("wrong")
	_, err := look.On(delivery.Once{Via: withPassword(), Ask: k.ask})()
	if reason, hop := reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonWrong) || hop != withPassword().String() || len(k.asked()) != 1 {
		t.Errorf("%q at %q, asked %v", reason, hop, k.asked())
	}
	_, err = look.On(delivery.Once{Via: withPassword()})()
	if reason, _ := reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonAuth) {
		t.Errorf("without Ask: %q", reason)
	}
}

// TestAnUnknownHostKey is no question that a password answers.
func TestAnUnknownHostKey(t *testing.T) {
	needsSSH(t)
	via := withPassword()
	via.KnownHosts = filepath.Join(t.TempDir(), "none")
	via.Options = append(via.Options, "StrictHostKeyChecking=ask")
	k := gives("yes")
	_, err := look.On(delivery.Once{Via: via, Ask: k.ask})()
	if reason, _ := reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonHostKey) || len(k.asked()) != 0 {
		t.Errorf("%q, asked %v", reason, k.asked())
	}
	if _, err := os.Stat(via.KnownHosts); err == nil {
		t.Error("the key was taken for known")
	}
}

// TestAPassphrase is asked for with the file of the key, and once.
func TestAPassphrase(t *testing.T) {
	needsSSH(t)
	key := filepath.Join(t.TempDir(), "key")
	text, err := os.ReadFile(st.Identity)
	if err == nil {
		err = os.WriteFile(key, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-p", "-P", "", "-N", "a phrase of words", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	via := withKey()
	via.ConfigFile, via.KnownHosts, via.Identity = "none", st.KnownHosts, key
	via.Options = []string{"PreferredAuthentications=publickey"}
	for phrase, want := range map[string]string{"a phrase of words": "", "another": transport.ReasonWrong} {
		k := gives(phrase)
		_, err := look.On(delivery.Once{Via: via, Ask: k.ask})()
		if want != "" {
			if reason, _ := reasonOf(t, err); !strings.HasPrefix(reason, want) {
				t.Errorf("%q: %q", phrase, reason)
			}
		} else if err != nil {
			t.Errorf("%q: %+v", phrase, err)
		}
		if a := k.asked(); len(a) != 1 || !strings.Contains(a[0].Text, key) {
			t.Errorf("%q: asked %+v", phrase, a)
		}
	}
}

// TestFarSudoAsks is a sudo behind ssh: its question comes here through a relay. ssh asks too, each of its two
// connections, and gets the one answer.
func TestFarSudoAsks(t *testing.T) {
	needsSSH(t)
	rules(t, "")
	sudo := transport.Sudo{ResetTicket: true}
	for name, c := range map[string]struct {
		via  transport.Chain
		want []string // who asks
	}{
		"sudo":         {transport.Chain{withKey(), sudo}, []string{"sudo"}},
		"ssh and sudo": {transport.Chain{withPassword(), sudo}, []string{"ssh", "sudo"}},
		"twice ssh":    {transport.Chain{withKey(), withPassword(), sudo}, []string{"ssh", "sudo"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := gives(st.Password)
			begin := time.Now()
			s, err := delivery.Open(limited(t), c.via, session.Options{Ask: k.ask})
			if err != nil {
				t.Fatalf("%+v, asked %+v", err, k.asked())
			}
			t.Logf("opened after %v", time.Since(begin))
			leavesNothing(t)
			for range 2 {
				got, err := look.On(s)()
				if err != nil || got.UID != 0 {
					t.Errorf("%+v, %+v", got, err)
				}
				isClean(t, got)
				lose(t, s)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			a := k.asked()
			for i, p := range a {
				if i >= len(c.want) || !strings.HasPrefix(p.Hop, c.want[i]) || p.Number != i+1 {
					t.Errorf("asked %+v", p)
				}
			}
			if len(a) != len(c.want) {
				t.Errorf("asked %+v", a)
			}
			leavesNothing(t)
		})
	}
}

// TestFarSudoFails says which hop does not get in, and leaves nothing there.
func TestFarSudoFails(t *testing.T) {
	needsSSH(t)
	rules(t, "")
	sudo := transport.Sudo{ResetTicket: true}
	k := gives("wrong")
	_, err := look.On(delivery.Once{Via: transport.Chain{withKey(), sudo}, Ask: k.ask})()
	if reason, hop := reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonWrong) || hop != sudo.String() || len(k.asked()) != 1 {
		t.Errorf("%q at %q, asked %v", reason, hop, k.asked())
	}
	leavesNothing(t)
	ctx, cancel := context.WithCancel(limited(t))
	k = &keeper{answer: func(ctx context.Context, _ password.Prompt) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	}}
	if _, err := delivery.Open(ctx, transport.Chain{withKey(), sudo}, session.Options{Ask: k.ask}); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v", err)
	}
	leavesNothing(t)
}
