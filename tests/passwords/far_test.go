//go:build linux

package passwords

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestAskingBehindEachOther: each hop asks for its own password, wherever it stands.
func TestAskingBehindEachOther(t *testing.T) {
	accounts(t)
	st.NeedSSH(t)
	doasRules(t, "permit "+st.User+" as root\npermit "+st.Second+" as root")
	st.Root.SetSudoers(t, st.User+" ALL=("+st.Second+",root:ALL) ALL\n"+st.Second+" ALL=(root) ALL\n")
	second := transport.Sudo{User: st.Second, ResetTicket: true}
	sudo := transport.Sudo{ResetTicket: true}
	for name, c := range map[string]struct {
		via       transport.Chain
		passwords map[string]string
		asked     string
	}{
		"sudo, sudo":      {transport.Chain{second, sudo}, map[string]string{"sudo=": st.Password, "sudo//": secondsPassword}, second.String() + " sudo//reset_ticket"},
		"sudo, doas":      {transport.Chain{second, transport.Doas{}}, map[string]string{"sudo": st.Password, "doas": secondsPassword}, second.String() + " doas"},
		"sudo, su":        {transport.Chain{second, transport.Su{}}, map[string]string{"sudo": st.Password, "su": rootsPassword}, second.String() + " su"},
		"su, sudo":        {transport.Chain{transport.Su{User: st.Second}, sudo}, map[string]string{"su": secondsPassword, "sudo": secondsPassword}, "su=" + st.Second + " sudo//reset_ticket"},
		"ssh, su":         {transport.Chain{withKey(), transport.Su{}}, map[string]string{"su": rootsPassword}, "su"},
		"ssh, doas":       {transport.Chain{withKey(), transport.Doas{}}, map[string]string{"doas": st.Password}, "doas"},
		"ssh, sudo, sudo": {transport.Chain{withKey(), second, sudo}, map[string]string{"sudo=": st.Password, "sudo//": secondsPassword}, second.String() + " sudo//reset_ticket"},
		"ssh, sudo, su":   {transport.Chain{withPassword(), second, transport.Su{}}, map[string]string{"ssh": st.Password, "sudo": st.Password, "su": rootsPassword}, withPassword().String() + " " + second.String() + " su"},
	} {
		t.Run(name, func(t *testing.T) {
			k := byHop(c.passwords)
			s, err := delivery.Open(limited(t), c.via, session.Options{Ask: k.ask})
			if err != nil {
				t.Fatalf("%+v, asked %+v", err, k.asked())
			}
			leavesNothingButTerminals(t)
			got, err := look.On(s)()
			if err != nil || got.UID != 0 {
				t.Errorf("%+v, %+v", got, err)
			}
			isClean(t, got)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if asked := hopsOf(k.asked()); asked != c.asked {
				t.Errorf("asked %s", asked)
			}
			if n := attempts(t); n > 0 {
				t.Errorf("PAM has refused %d times", n)
			}
			leavesNothing(t)
		})
	}
}

// TestFarPasswordsAreWrong: the hop that refuses is named, and none has tried twice.
func TestFarPasswordsAreWrong(t *testing.T) {
	accounts(t)
	st.NeedSSH(t)
	st.Root.SetSudoers(t, st.User+" ALL=("+st.Second+",root:ALL) ALL\n"+st.Second+" ALL=(root) ALL\n")
	second := transport.Sudo{User: st.Second, ResetTicket: true}
	sudo := transport.Sudo{ResetTicket: true}
	for name, c := range map[string]struct {
		via       transport.Chain
		passwords map[string]string
		hop       string
	}{
		"the first sudo":    {transport.Chain{second, sudo}, map[string]string{"sudo=": "wrong", "sudo//": secondsPassword}, second.String()},
		"the second sudo":   {transport.Chain{second, sudo}, map[string]string{"sudo=": st.Password, "sudo//": "wrong"}, sudo.String()},
		"sudo before su":    {transport.Chain{second, transport.Su{}}, map[string]string{"sudo": "wrong", "su": rootsPassword}, second.String()},
		"su behind sudo":    {transport.Chain{second, transport.Su{}}, map[string]string{"sudo": st.Password, "su": "wrong"}, "su"},
		"su before sudo":    {transport.Chain{transport.Su{User: st.Second}, sudo}, map[string]string{"su": "wrong", "sudo": secondsPassword}, "su=" + st.Second},
		"su behind ssh":     {transport.Chain{withKey(), transport.Su{}}, map[string]string{"su": "wrong"}, "su"},
		"the sudo past ssh": {transport.Chain{withKey(), second, sudo}, map[string]string{"sudo=": st.Password, "sudo//": "wrong"}, sudo.String()},
	} {
		t.Run(name, func(t *testing.T) {
			k := byHop(c.passwords)
			_, err := look.On(delivery.Once{Via: c.via, Ask: k.ask})()
			reason, hop := reasonOf(t, err)
			if n := attempts(t); !strings.HasPrefix(reason, transport.ReasonWrong) || hop != c.hop || n != 1 {
				t.Errorf("%q at %q, tried %d times, asked %s: %v", reason, hop, n, hopsOf(k.asked()), err)
			}
			leavesNothing(t)
		})
	}
}

// TestFarHopsThatNeedNothing start no relay, for which there may be no rule.
func TestFarHopsThatNeedNothing(t *testing.T) {
	needs(t)
	st.NeedSecond(t)
	worker := st.Binary + " __deliver passwords.look\n"
	st.Root.SetSudoers(t, st.User+" ALL=("+st.Second+") NOPASSWD: /usr/bin/sudo -n -- "+worker+st.Second+" ALL=(root) NOPASSWD: "+worker)
	k := gives("nobody asks")
	got, err := look.On(delivery.Once{Via: transport.Chain{transport.Sudo{User: st.Second}, transport.Sudo{}}, Ask: k.ask})()
	if err != nil || got.UID != 0 || len(k.asked()) > 0 {
		t.Errorf("%+v, %+v, asked %v", got, err, k.asked())
	}
}

// TestWhereNobodyMayAsk is a sudo behind one that starts the worker, and nothing else.
func TestWhereNobodyMayAsk(t *testing.T) {
	accounts(t)
	worker := st.Binary + " __deliver passwords.look\n"
	st.Root.SetSudoers(t, st.User+" ALL=("+st.Second+") NOPASSWD: /usr/bin/sudo -n -- "+worker+st.Second+" ALL=(root) ALL\n")
	k := gives(st.Password)
	_, err := look.On(delivery.Once{Via: transport.Chain{transport.Sudo{User: st.Second, ResetTicket: true}, transport.Sudo{}}, Ask: k.ask})()
	reason, _ := reasonOf(t, err)
	if !strings.HasPrefix(reason, transport.ReasonPassword) || !strings.Contains(reason, "not allowed to start "+st.Binary+" __ask") || attempts(t) > 0 {
		t.Errorf("%q, asked %v", reason, k.asked())
	}
	leavesNothing(t)
}

// TestAskAndDeploy: the relay is brought to where it runs, as the worker is.
func TestAskAndDeploy(t *testing.T) {
	accounts(t)
	st.NeedSSH(t)
	st.Root.SetSudoers(t, st.User+" ALL=("+st.Second+",root:ALL) ALL\n"+st.Second+" ALL=(root) ALL\n")
	for name, c := range map[string]struct {
		via    transport.Chain
		deploy deploy.Options
	}{
		"ssh, sudo":    {transport.Chain{withKey(), transport.Sudo{ResetTicket: true}}, deploy.Options{On: true}},
		"ssh, su":      {transport.Chain{withKey(), transport.Su{}}, deploy.Options{On: true}},
		"sudo, sudo":   {transport.Chain{transport.Sudo{User: st.Second, ResetTicket: true}, transport.Sudo{ResetTicket: true}}, deploy.Options{On: true}},
		"leaves alone": {transport.Chain{withKey(), transport.Sudo{ResetTicket: true}}, deploy.Options{On: true, KeepNothing: true, Cache: "/var/tmp/nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := byHop(map[string]string{"sudo": st.Password, "su": rootsPassword})
			if name == "sudo, sudo" {
				k = byHop(map[string]string{"sudo=": st.Password, "sudo//": secondsPassword})
			}
			got, err := look.On(delivery.Once{Via: c.via, Ask: k.ask, Deploy: c.deploy})()
			if err != nil || got.UID != 0 || len(k.asked()) == 0 {
				t.Fatalf("%+v, %+v, asked %+v", got, err, k.asked())
			}
			if !strings.Contains(got.Argv[0], "deliveryboy") && !strings.Contains(got.Argv[0], "/proc/self/fd") && !strings.HasPrefix(got.Argv[0], "./") {
				t.Errorf("%q was not brought there", got.Argv)
			}
			isClean(t, got)
			leavesNothing(t)
		})
	}
	if err := os.RemoveAll(filepath.Join(st.Home, ".cache/deliveryboy")); err != nil {
		t.Error(err)
	}
	if kept, err := os.ReadDir("/var/tmp/nothing"); err != nil || len(kept) > 0 {
		t.Errorf("%v, kept %v", err, kept)
	}
	if err := os.Remove("/var/tmp/nothing"); err != nil {
		t.Error(err)
	}
}
