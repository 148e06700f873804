//go:build linux

package passwords

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestSuAsks at a terminal of its own; the streams of the worker are what they are without one.
func TestSuAsks(t *testing.T) {
	accounts(t)
	passwords := map[string]string{"su": rootsPassword, "su=" + st.Second: secondsPassword}
	for name, c := range map[string]struct {
		via    transport.Transport
		uid    int
		silent int // hops that ask nothing
	}{
		"root":            {transport.Su{}, 0, 0},
		"another":         {transport.Su{User: st.Second}, st.SecondUID, 0},
		"with a profile":  {transport.Su{User: st.Second, Login: true}, st.SecondUID, 0},
		"twice":           {transport.Chain{transport.Su{User: st.Second}, transport.Su{}}, 0, 0},
		"root to another": {transport.Chain{transport.Su{}, transport.Su{User: st.Second}}, st.SecondUID, 1},
	} {
		t.Run(name, func(t *testing.T) {
			k := byHop(passwords)
			s, err := delivery.Open(limited(t), c.via, session.Options{Ask: k.ask})
			if err != nil {
				t.Fatalf("%+v, asked %+v", err, k.asked())
			}
			for again := range 2 {
				if again > 0 {
					lose(t, s) // and it dials again, without asking again
				}
				got, err := look.On(s)()
				if err != nil || got.UID != c.uid {
					t.Errorf("%+v, %+v", got, err)
				}
				isClean(t, got)
			}
			info, err := s.Info(limited(t))
			if err != nil {
				t.Fatal(err)
			}
			if fds, err := st.Root.ReadDir("/proc/" + itoa(info.PID) + "/fd"); err != nil || len(fds) == 0 {
				t.Errorf("%v, %v", fds, err)
			} else {
				for _, fd := range fds {
					if to, err := st.Root.ReadLink("/proc/" + itoa(info.PID) + "/fd/" + fd); err == nil && strings.Contains(to, "pt") {
						t.Errorf("the worker has %s at %s", to, fd)
					}
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if a := k.asked(); len(a) != len(transport.Hops(c.via))-c.silent || a[0].Text != "Password: " || attempts(t) > 0 {
				t.Errorf("asked %+v", a)
			}
			leavesNothing(t)
		})
	}
}

// TestSuNeedsNoPassword where its caller is root, or trusted.
func TestSuNeedsNoPassword(t *testing.T) {
	accounts(t)
	prepare(t, "cp -a /etc/pam.d/su /etc/pam.d/su.was; sed -i '1i auth sufficient pam_succeed_if.so quiet use_uid user = "+st.User+"' /etc/pam.d/su",
		"mv /etc/pam.d/su.was /etc/pam.d/su")
	for _, via := range []transport.Transport{transport.Su{}, transport.Chain{transport.Sudo{}, transport.Su{User: st.Second}}} {
		k := gives("nobody asks")
		if _, err := look.On(delivery.Once{Via: via, Ask: k.ask})(); err != nil || len(k.asked()) > 0 {
			t.Errorf("%v: %+v, asked %v", via, err, k.asked())
		}
	}
}

// TestSuRefuses says why, and has tried once at most.
func TestSuRefuses(t *testing.T) {
	accounts(t)
	for name, c := range map[string]struct {
		before, after string
		user          string
		answer        string
		asked, failed int
		want, advice  string
	}{
		"wrong":           {answer: "wrong", asked: 1, failed: 1, want: transport.ReasonWrong},
		"control keys":    {answer: "\x03\x04\x15wrong\x7f", asked: 1, failed: 1, want: transport.ReasonWrong},
		"none":            {answer: "", asked: 1, want: transport.ReasonPassword},
		"unknown user":    {user: "nobody-here", answer: "x", want: transport.ReasonUnknownUser},
		"locked":          {before: "passwd -q -l USER", after: "passwd -q -u USER", answer: secondsPassword, asked: 1, failed: 1, want: transport.ReasonWrong},
		"account expired": {before: "chage -E 1 USER", after: "chage -E -1 USER", answer: secondsPassword, asked: 1, want: transport.ReasonNotAllowed, advice: "account has expired"},
		"password expired": {before: "chage -d 0 USER", after: "chage -d 2026-01-01 USER", answer: secondsPassword, asked: 4,
			want: transport.ReasonNotAllowed, advice: "password has expired"},
		"not in the group": {before: "sed -i.was '1i auth requisite pam_wheel.so group=daemon' /etc/pam.d/su", after: "mv /etc/pam.d/su.was /etc/pam.d/su",
			answer: secondsPassword, want: transport.ReasonNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			if c.user == "" {
				c.user = st.Second
			}
			if c.before != "" {
				prepare(t, strings.ReplaceAll(c.before, "USER", st.Second), strings.ReplaceAll(c.after, "USER", st.Second))
			}
			k := gives(c.answer)
			via := transport.Su{User: c.user}
			begin := time.Now()
			_, err := look.On(delivery.Once{Via: via, Ask: k.ask})()
			reason, hop := reasonOf(t, err)
			if n := attempts(t); !strings.HasPrefix(reason, c.want) || !strings.Contains(reason, c.advice) || hop != via.String() || len(k.asked()) != c.asked || n != c.failed {
				t.Errorf("%q at %q, tried %d times, asked %+v: %v", reason, hop, n, k.asked(), err)
			}
			if text := err.Error(); strings.Contains(text, "canary") {
				t.Error(text)
			}
			t.Logf("after %v: %v", time.Since(begin), err)
			leavesNothing(t)
		})
	}
}

// TestCancelWhileSuAsks ends the call, and su with it.
func TestCancelWhileSuAsks(t *testing.T) {
	accounts(t)
	ctx, cancel := context.WithCancel(limited(t))
	k := &keeper{answer: func(ctx context.Context, _ password.Prompt) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	}}
	_, err := delivery.Open(ctx, transport.Su{}, session.Options{Ask: k.ask})
	if !errors.Is(err, context.Canceled) || len(k.asked()) != 1 || attempts(t) > 0 {
		t.Errorf("%+v, asked %v", err, k.asked())
	}
	leavesNothing(t)
	list, err := st.Root.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.State != "Z" && len(p.Argv) > 0 && strings.HasSuffix(p.Argv[0], "/su") {
			t.Errorf("left: %q", p.Argv)
		}
	}
}

// TestAnotherSu is that of busybox, which asks in another order and says other things.
func TestAnotherSu(t *testing.T) {
	accounts(t)
	needsProgram(t, "busybox")
	needsProgram(t, "openssl") // for a hash that busybox knows
	prepare(t, `mkdir -m 755 /run/stage/busybox; mount -t tmpfs -o suid,mode=755 tmpfs /run/stage/busybox; cp "$(command -v busybox)" /run/stage/busybox/su; chmod 4755 /run/stage/busybox/su
usermod -p "$(printf %s `+secondsPassword+` | openssl passwd -6 -stdin)" `+st.Second, "umount /run/stage/busybox; rmdir /run/stage/busybox")
	via := transport.Su{User: st.Second, Program: "/run/stage/busybox/su"}
	k := gives(secondsPassword)
	got, err := look.On(delivery.Once{Via: via, Ask: k.ask})()
	if err != nil || got.UID != st.SecondUID || len(k.asked()) != 1 {
		t.Errorf("%+v, %+v, asked %+v", got, err, k.asked())
	}
	k = gives("wrong")
	_, err = look.On(delivery.Once{Via: via, Ask: k.ask})()
	if reason, _ := reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonWrong) || len(k.asked()) != 1 {
		t.Errorf("%q, asked %+v: %v", reason, k.asked(), err)
	}
	leavesNothing(t)
}
