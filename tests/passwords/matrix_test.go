//go:build linux

package passwords

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestWrongIsTriedOnce, whatever sudoers makes of the question; PAM's stack counts.
func TestWrongIsTriedOnce(t *testing.T) {
	accounts(t)
	for name, defaults := range map[string]string{
		"plain": "", "lecture": "Defaults lecture=always", "pwfeedback": "Defaults pwfeedback", "many tries": "Defaults passwd_tries=9",
		"one try": "Defaults passwd_tries=1", "insults": "Defaults insults", "use_pty": "Defaults use_pty",
		"own prompt": `Defaults passprompt="PIN+OTP: ", passprompt_override`, "own complaint": `Defaults badpass_message="Nein."`,
	} {
		t.Run(name, func(t *testing.T) {
			st.Root.SetSudoers(t, defaults+"\n"+st.User+" ALL=(root:ALL) ALL\n")
			k := gives("wrong")
			_, err := look.On(asRoot(k))()
			reason, hop := reasonOf(t, err)
			if n := attempts(t); !strings.HasPrefix(reason, transport.ReasonWrong) || hop != "sudo//reset_ticket" || len(k.asked()) != 1 || n != 1 {
				t.Errorf("%q at %q, tried %d times, asked %v: %v", reason, hop, n, k.asked(), err)
			}
			k = gives(st.Password)
			if got, err := look.On(asRoot(k))(); err != nil || got.UID != 0 || len(k.asked()) != 1 || attempts(t) > 0 {
				t.Errorf("right: %+v, asked %v", err, k.asked())
			}
			leavesNothing(t)
		})
	}
}

// TestATicketRunsOut by itself, and sudo asks again.
func TestATicketRunsOut(t *testing.T) {
	accounts(t)
	rules(t, "Defaults timestamp_type=ppid, timestamp_timeout=0.01") // 0.6 seconds
	forget(t, "-K")
	k := gives(st.Password)
	root := delivery.Once{Via: transport.Sudo{}, Ask: k.ask}
	for pause := 100 * time.Millisecond; len(k.asked()) < 2; pause *= 2 { // each use makes it last again
		if pause > time.Minute {
			t.Fatalf("asked %v", k.asked())
		}
		if _, err := look.On(root)(); err != nil {
			t.Fatalf("%+v", err)
		}
		<-time.After(pause)
	}
	if n := attempts(t); n > 0 {
		t.Errorf("PAM has refused %d times", n)
	}
}

// german gives this place the German of the system, and the user's shells behind ssh as well.
func german(t *testing.T) {
	t.Helper()
	needsProgram(t, "localedef")
	for _, file := range []string{"/usr/share/i18n/locales/de_DE", "/usr/share/locale/de/LC_MESSAGES/sudoers.mo"} {
		if _, err := os.Stat(file); err != nil {
			missing(t, file)
		}
	}
	prepare(t, `mkdir -p /run/stage/locale; localedef -i de_DE -f UTF-8 /run/stage/locale/de_DE.UTF-8; mount --bind /run/stage/locale /usr/lib/locale`,
		`umount /usr/lib/locale; rm -r /run/stage/locale`)
	rc := filepath.Join(st.Home, ".bashrc")
	if err := os.WriteFile(rc, []byte("export LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(rc) })
}

// TestGerman is a host whose language is another one: sudo and su are answered all the same, and once. su is told to speak
// English, since what went wrong shows only in its words.
func TestGerman(t *testing.T) {
	accounts(t)
	needsSSH(t)
	german(t)
	rules(t, "")
	sudo := transport.Sudo{ResetTicket: true}
	for name, c := range map[string]struct {
		via           transport.Transport
		prompt, right string
	}{
		"sudo": {transport.Chain{withKey(), sudo}, "[sudo] Passwort für " + st.User + ": ", st.Password},
		"su":   {transport.Chain{withKey(), transport.Su{}}, "Password: ", rootsPassword},
	} {
		t.Run(name, func(t *testing.T) {
			k := gives(c.right)
			got, err := look.On(delivery.Once{Via: c.via, Ask: k.ask})()
			if err != nil || got.UID != 0 || len(k.asked()) != 1 || k.asked()[0].Text != c.prompt {
				t.Errorf("%+v, %+v, asked %+v", got, err, k.asked())
			}
			k = gives("falsch")
			_, err = look.On(delivery.Once{Via: c.via, Ask: k.ask})()
			reason, _ := reasonOf(t, err)
			if n := attempts(t); len(k.asked()) != 1 || n != 1 || !strings.HasPrefix(reason, transport.ReasonWrong) {
				t.Errorf("%q, tried %d times, asked %v: %v", reason, n, k.asked(), err)
			}
			leavesNothing(t)
		})
	}
}

// TestCodes asks for a one-time code and then for a password, which OATH and PAM check for real.
func TestCodes(t *testing.T) {
	accounts(t)
	if found, _ := filepath.Glob("/lib/*/security/pam_oath.so"); len(found) == 0 {
		missing(t, "pam_oath.so")
	}
	needsProgram(t, "oathtool")
	const key = "3132333435363738393031323334353637383930" // of RFC 4226, appendix D
	prepare(t, `umask 077; echo 'HOTP `+st.User+` - `+key+`' > /etc/users.oath; echo 'HOTP `+st.Second+` - `+key+`' >> /etc/users.oath
sed -i '1i auth requisite pam_oath.so usersfile=/etc/users.oath window=50' /etc/pam.d/common-auth`, "rm -f /etc/users.oath*")
	doasRules(t, "permit "+st.User+" as root")
	rules(t, "")
	used := 0
	for _, c := range []struct {
		via      transport.Transport
		password string
	}{
		{transport.Sudo{ResetTicket: true}, st.Password}, {transport.Doas{}, st.Password}, {transport.Su{User: st.Second}, secondsPassword},
	} {
		code := code(t, key, used)
		used++
		k := withCode(code, c.password)
		if _, err := look.On(delivery.Once{Via: c.via, Ask: k.ask})(); err != nil || len(k.asked()) != 2 {
			t.Errorf("%v: %+v, asked %+v", c.via, err, k.asked())
		}
		k = withCode(code, c.password) // it is used up
		_, err := look.On(delivery.Once{Via: c.via, Ask: k.ask})()
		if reason, _ := reasonOf(t, err); !strings.HasPrefix(reason, transport.ReasonWrong) || len(k.asked()) != 1 {
			t.Errorf("%v: %q, asked %+v", c.via, reason, k.asked())
		}
		t.Logf("%v: asked %+v", c.via, k.asked())
		leavesNothing(t)
	}
}

// code is the n-th code of a key.
func code(t *testing.T, key string, n int) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "oathtool", "--hotp", "-c", itoa(n), key).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
