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

// TestSudoAsks goes through what a sudoers file may make of the question. The password arrives each time, at sudo alone.
func TestSudoAsks(t *testing.T) {
	needs(t)
	lecture := filepath.Join(t.TempDir(), "lecture")
	if err := os.WriteFile(lecture, []byte("We trust you.\nPassword: \n=====BEGIN\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ defaults, prompt string }{
		"plain":          {"", "password for " + st.User},
		"lecture":        {"Defaults lecture=always", "password for"},
		"lecture file":   {"Defaults lecture=always, lecture_file=" + lecture, "password for"},
		"pwfeedback":     {"Defaults pwfeedback", "password for"},
		"use_pty":        {"Defaults use_pty", "password for"},
		"German":         {`Defaults passprompt="Passwort für %p auf %h: ", passprompt_override`, "Passwort für " + st.User + " auf "},
		"Chinese":        {`Defaults passprompt="请输入 %p 的密码：", passprompt_override`, "请输入 " + st.User + " 的密码："},
		"no word":        {`Defaults passprompt=">", passprompt_override`, ">"},
		"looks like us":  {`Defaults passprompt="Are you sure (yes/no)? ", passprompt_override`, "Are you sure (yes/no)? "},
		"closefrom":      {"Defaults closefrom=3", "password for"},
		"no ticket ever": {"Defaults timestamp_timeout=0", "password for"},
	} {
		t.Run(name, func(t *testing.T) {
			rules(t, c.defaults)
			k := gives(st.Password)
			got, err := look.On(asRoot(k))()
			if err != nil || got.UID != 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			if a := k.asked(); len(a) != 1 || !strings.Contains(a[0].Text, c.prompt) || a[0].Number != 1 || a[0].Hop != "sudo//reset_ticket" {
				t.Errorf("asked %+v", a)
			}
			isClean(t, got)
			leavesNothing(t)
		})
	}
}

// isClean fails the test if a worker has the password, or anything of what is there for it.
func isClean(t *testing.T, f found) {
	t.Helper()
	all := strings.Join(f.Env, "\n") + strings.Join(f.Argv, "\n") + f.Stdin
	for _, s := range []string{st.Password, "ASKPASS", "deliveryboy-ask"} {
		if strings.Contains(all, s) {
			t.Errorf("the worker finds %q: %+v", s, f)
		}
	}
}

// TestNobodyIsAsked is where sudo wants no password.
func TestNobodyIsAsked(t *testing.T) {
	needs(t)
	k := gives("wrong")
	if got, err := look.On(asRoot(k))(); err != nil || got.UID != 0 || len(k.asked()) > 0 {
		t.Errorf("NOPASSWD: %+v, %v, %v", got, err, k.asked())
	}
	rules(t, "Defaults timestamp_type=ppid")
	forget(t, "-K")
	first, then := gives(st.Password), gives("wrong")
	for _, k := range []*keeper{first, then} {
		if _, err := look.On(delivery.Once{Via: transport.Sudo{}, Ask: k.ask})(); err != nil {
			t.Errorf("%+v", err)
		}
	}
	if len(first.asked()) != 1 || len(then.asked()) != 0 {
		t.Errorf("with a ticket: asked %v, then %v", first.asked(), then.asked())
	}
}

// TestAnExpiredTicket asks again, and only then.
func TestAnExpiredTicket(t *testing.T) {
	needs(t)
	rules(t, "Defaults timestamp_type=ppid")
	k := gives(st.Password)
	root := delivery.Once{Via: transport.Sudo{}, Ask: k.ask}
	for _, end := range []string{"-K", "-k"} { // the second time there is a ticket, but it is over
		forget(t, end)
		if _, err := look.On(root)(); err != nil {
			t.Fatalf("%+v", err)
		}
	}
	if len(k.asked()) != 2 {
		t.Errorf("asked %v", k.asked())
	}
}

// forget ends the tickets of this process, which an earlier test may have left.
func forget(t *testing.T, how string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "sudo", how).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

// TestAWrongPassword is tried once.
func TestAWrongPassword(t *testing.T) {
	needs(t)
	rules(t, "Defaults passwd_tries=5")
	k := gives("canary-wrong-81")
	_, err := look.On(asRoot(k))()
	reason, hop := reasonOf(t, err)
	if !strings.HasPrefix(reason, transport.ReasonWrong) || hop != "sudo//reset_ticket" || len(k.asked()) != 1 {
		t.Errorf("%q at %q, asked %v", reason, hop, k.asked())
	}
	if strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
	leavesNothing(t)
	_, err = look.On(delivery.Once{Via: transport.Sudo{ResetTicket: true}})()
	if reason, _ = reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonPassword) {
		t.Errorf("without Ask: %q", reason)
	}
}

// TestNoPassword is about those who are asked and do not answer.
func TestNoPassword(t *testing.T) {
	needs(t)
	rules(t, "")
	none := errors.New("the keyring is locked")
	for name, c := range map[string]struct {
		answer string
		err    error
		want   string
	}{
		"error":       {"", none, "keyring is locked"},
		"empty":       {"", nil, "there is none"},
		"two lines":   {"a\nb", nil, "one line"},
		"too long":    {strings.Repeat("x", 1024), nil, "1023"},
		"its timeout": {"", context.DeadlineExceeded, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			k := &keeper{answer: func(context.Context, password.Prompt) (string, error) { return c.answer, c.err }}
			_, err := look.On(asRoot(k))()
			if reason, _ := reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonPassword) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v", err)
			}
			if c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("%v is not %v", err, c.err)
			}
			if len(k.asked()) != 1 {
				t.Errorf("asked %v", k.asked())
			}
			leavesNothing(t)
		})
	}
}

// TestCancelWhileAsked ends the call at once, also where the one who is asked does not listen.
func TestCancelWhileAsked(t *testing.T) {
	needs(t)
	rules(t, "")
	for _, listens := range []bool{true, false} {
		ctx, cancel := context.WithCancel(limited(t))
		release := make(chan struct{})
		k := &keeper{answer: func(ctx context.Context, _ password.Prompt) (string, error) {
			cancel()
			if !listens {
				<-release
			}
			<-ctx.Done()
			return "", ctx.Err()
		}}
		begin := time.Now()
		_, err := delivery.Open(ctx, transport.Sudo{ResetTicket: true}, session.Options{Ask: k.ask})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %v: %+v", time.Since(begin), err)
		}
		t.Logf("listens %v: %v", listens, time.Since(begin))
		close(release)
		leavesNothing(t)
	}
}

// TestPatienceWaits for whoever is asked, but for nothing else: much more than a call takes here, and less than the answer.
func TestPatienceWaits(t *testing.T) {
	needs(t)
	rules(t, "")
	begin := time.Now()
	if _, err := look.On(asRoot(gives(st.Password)))(); err != nil {
		t.Fatalf("%+v", err)
	}
	patience := max(time.Second, 10*time.Since(begin))
	k := &keeper{answer: func(context.Context, password.Prompt) (string, error) {
		<-time.After(patience + 500*time.Millisecond)
		return st.Password, nil
	}}
	once := asRoot(k)
	once.Patience = patience
	if got, err := look.On(once)(); err != nil || got.UID != 0 {
		t.Errorf("%+v", err)
	}
}

// TestASessionRemembers the password until it is closed, and no longer when it is wrong.
func TestASessionRemembers(t *testing.T) {
	needs(t)
	rules(t, "")
	k := gives(st.Password)
	s, err := delivery.Open(limited(t), transport.Sudo{ResetTicket: true}, session.Options{Ask: k.ask})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer s.Close() //nolint:errcheck // the test is about something else
	for range 2 {
		got, err := look.On(s)()
		if err != nil || got.UID != 0 {
			t.Fatalf("%+v", err)
		}
		lose(t, s)
	}
	if len(k.asked()) != 1 {
		t.Errorf("asked %d times", len(k.asked()))
	}
}

// lose kills the worker of a session.
func lose(t *testing.T, s *session.Session) {
	t.Helper()
	info, err := s.Info(limited(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Root.Kill(info.PID, 9); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
}
