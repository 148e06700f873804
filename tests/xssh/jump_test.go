//go:build linux

package xssh

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/xssh"
)

// TestJump: the way leads through each host that is named, in the field or in the configuration, and each is proved.
func TestJump(t *testing.T) {
	gate, middle, last := newDaemon(t, ""), newDaemon(t, ""), newDaemon(t, "")
	config := func(more string) string {
		var b strings.Builder
		for name, d := range map[string]*daemon{"gate": gate, "middle": middle, "last": last} {
			fmt.Fprintf(&b, "Host %s\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile /dev/null\n",
				name, d.port, st.User, d.userKey, d.known)
		}
		return write(t, gate.in("ways"), b.String()+more)
	}
	for _, c := range []struct {
		name, config, jump string
		through            []*daemon
	}{
		{"none", "", "", nil},
		{"one", "", "gate", []*daemon{gate}},
		{"two", "", "gate,middle", []*daemon{gate, middle}},
		{"of the configuration", "Host last\n  ProxyJump gate\n", "", []*daemon{gate}},
		{"two of the configuration", "Host last\n  ProxyJump gate,middle\n", "", []*daemon{gate, middle}},
		{"one behind another", "Host last\n  ProxyJump middle\nHost middle\n  ProxyJump gate\n", "", []*daemon{gate, middle}},
		{"for all hosts", "Host *\n  ProxyJump gate\n", "", []*daemon{gate}},
		{"not for this one", "Host last\n  ProxyJump none\nHost *\n  ProxyJump gate\n", "", nil},
		{"another than that of the configuration", "Host last\n  ProxyJump gate\n", "middle", []*daemon{middle}},
		{"as a URI", "Host last\n  ProxyJump ssh://" + st.User + "@gate\n", "", []*daemon{gate}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := map[*daemon]int{}
			for _, d := range []*daemon{gate, middle, last} {
				before[d] = d.logins(t)
			}
			got, err := whoami.On(delivery.Once{Via: xssh.SSH{Host: "last", ConfigFile: config(c.config), Jump: c.jump, ConnectTimeout: patience}})()
			if err != nil || got != st.UID {
				t.Fatalf("%d, %+v", got, err)
			}
			for _, d := range append(c.through, last) {
				before[d]++
			}
			for i, d := range []*daemon{gate, middle, last} {
				if n := d.logins(t); n != before[d] {
					t.Errorf("host %d had %d logins, want %d", i, n, before[d])
				}
			}
		})
	}
	unknown := write(t, gate.in("unknown"), "")
	for _, c := range []struct {
		name, config, jump, text string
		want                     error
	}{
		{"a circle", "Host last\n  ProxyJump gate\nHost gate\n  ProxyJump middle\nHost middle\n  ProxyJump gate\n", "", "in circles", nil},
		{"too many", "", strings.Repeat("gate,", 8) + "gate", "at most 8", nil},
		{"an option", "Host last\n  ProxyJump -oProxyCommand=x\n", "", "has to be [user@]host[:port]", nil},
		{"a jump host whose key is unknown", "Host away\n  HostName 127.0.0.1\n  Port " + strconv.Itoa(gate.port) + "\n  UserKnownHostsFile " + unknown + "\n  GlobalKnownHostsFile /dev/null\n",
			"away", "jump host away: ssh: handshake failed: host key", xssh.ErrHostKey},
		{"a jump host that takes no key", "Host away\n  HostName 127.0.0.1\n  Port " + strconv.Itoa(gate.port) + "\n  User " + st.User + "\n  IdentityFile " + last.userKey +
			"\n  UserKnownHostsFile " + gate.known + "\n", "away", "jump host away: no key of this user", xssh.ErrAuth},
		{"a jump host with a command", "Host away\n  ProxyCommand nc %h\n", "away", "jump host away: ProxyCommand", nil},
		{"nobody behind it", "Host last\n  Port 1\n", "gate", "connect failed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := config("")
			if c.name == "nobody behind it" {
				file = write(t, gate.in("ways"), strings.ReplaceAll(read(t, file), "Port "+strconv.Itoa(last.port), "Port 1"))
			} else {
				file = config(c.config)
			}
			_, err := whoami.On(delivery.Once{Via: xssh.SSH{Host: "last", ConfigFile: file, Jump: c.jump, ConnectTimeout: patience}})()
			if err == nil || !strings.Contains(err.Error(), c.text) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v; want %q", err, c.text)
			}
		})
	}
	t.Run("a session", func(t *testing.T) {
		st.NeedSudo(t)
		s := open(t, transport.Chain{xssh.SSH{Host: "last", ConfigFile: config(""), Jump: "gate,middle", ConnectTimeout: patience}, transport.Sudo{}})
		if got, err := whoami.On(s)(); err != nil || got != 0 {
			t.Errorf("%d, %+v", got, err)
		}
	})
}
