package xssh

import (
	"fmt"
	"net"
	"os/user"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/transport"
)

// A place is one host to log in to, as who, and what to trust there.
type place struct {
	host       string // as it was named
	address    string // host:port
	network    string // tcp, tcp4 or tcp6
	alias      string // host:port under which its key is known
	user       string
	identities []string // files of private keys
	named      bool     // the files were named, so that one that is missing is an error
	certs      []string // files of certificates for them
	only       bool     // these keys, and of an agent no others
	agent      string   // its socket; empty if there is none
	keys       bool     // log in with keys
	password   bool     // with a password
	dialogue   bool     // by answering questions
	hosts      []string // files of known hosts
	trusted    bool     // its key was the right one
}

// maxHosts is how many hosts there may be on a way.
const maxHosts = 8

// route is the way to a host: those to jump through, and the host itself.
func route(s SSH) ([]*place, error) {
	all, err := readSettings(s.ConfigFile)
	if err != nil {
		return nil, err
	}
	last, err := all.place(s)
	if err != nil {
		return nil, err
	}
	way, err := all.jumps(last, s.Jump, 0)
	return append(way, last), err
}

// jumps are the hosts before another one: those that are given, or of ProxyJump. The first one may itself be behind others; as
// with ssh, those that follow are not, and no host is behind itself, though "Host *" may say so.
func (all settings) jumps(to *place, jump string, before int) (way []*place, err error) {
	if jump == "" {
		jump = all.first(to.host, "ProxyJump")
	}
	if jump == "" || strings.EqualFold(jump, "none") {
		return nil, nil
	}
	hosts := strings.Split(jump, ",")
	for i, text := range hosts {
		if before++; before >= maxHosts {
			return nil, fmt.Errorf("ProxyJump %s: there are more than %d hosts on the way, or they lead in circles", jump, maxHosts)
		}
		host, err := parseJump(text)
		if err != nil {
			return nil, err
		}
		p, err := all.place(host)
		if err != nil {
			return nil, fmt.Errorf("jump host %s: %w", host.Host, err)
		}
		if len(hosts) == 1 && p.address == to.address && p.user == to.user {
			return nil, nil
		}
		if i == 0 {
			if way, err = all.jumps(p, "", before); err != nil {
				return nil, err
			}
			before += len(way)
		}
		way = append(way, p)
	}
	return way, nil
}

// parseJump reads [user@]host[:port], with or without ssh:// before it.
func parseJump(text string) (SSH, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "ssh://")
	spec, err := transport.Parse("ssh=" + text)
	hop, ok := spec.Via.(transport.SSH)
	if err != nil || !ok || strings.Contains(text, "//") || hop.Host == "" {
		return SSH{}, fmt.Errorf("jump host %q: it has to be [user@]host[:port]", text)
	}
	return SSH{Host: hop.Host, User: hop.User, Port: hop.Port}, nil
}

// place is one host, by what was asked for and by the configuration.
func (all settings) place(s SSH) (*place, error) {
	if err := all.refuse(s.Host); err != nil {
		return nil, err
	}
	p := &place{host: s.Host, user: s.User}
	if err := p.goTo(s, all); err != nil {
		return nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	if p.user == "" {
		if p.user = all.first(s.Host, "User"); p.user == "" {
			p.user = me.Username
		}
	}
	p.keys = all.is(s.Host, "PubkeyAuthentication", "yes", true)
	p.password = all.is(s.Host, "PasswordAuthentication", "yes", true)
	p.dialogue = all.is(s.Host, "KbdInteractiveAuthentication", "yes", true) && all.is(s.Host, "ChallengeResponseAuthentication", "yes", true)
	p.only = s.Identity != "" || all.is(s.Host, "IdentitiesOnly", "yes", false)
	return p, p.files(s, all, me)
}

func (p *place) goTo(s SSH, all settings) error {
	host, port := s.Host, strconv.Itoa(s.Port)
	if name := all.first(s.Host, "HostName"); name != "" {
		host = strings.NewReplacer("%h", s.Host, "%%", "%").Replace(name)
	}
	if s.Port == 0 {
		if port = all.first(s.Host, "Port"); port == "" {
			port = "22"
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || transport.CheckHost(host) != nil {
		return fmt.Errorf("%q: no host and port in ssh's configuration", host+":"+port)
	}
	p.address, p.network = net.JoinHostPort(host, port), "tcp"
	switch strings.ToLower(all.first(s.Host, "AddressFamily")) {
	case "inet":
		p.network = "tcp4"
	case "inet6":
		p.network = "tcp6"
	}
	p.alias = p.address
	if alias := all.first(s.Host, "HostKeyAlias"); alias != "" {
		p.alias = net.JoinHostPort(alias, "22") // which known_hosts does not write
	}
	return nil
}

// files are those with keys: the ones that were asked for, or those of the configuration, or the usual ones.
func (p *place) files(s SSH, all settings, me *user.User) (err error) {
	host, port, _ := net.SplitHostPort(p.address)
	tokens := strings.NewReplacer("%%", "%", "%d", me.HomeDir, "%h", host, "%n", s.Host, "%p", port, "%r", p.user, "%u", me.Username)
	expandAll := func(names []string) (files []string) {
		for _, name := range names {
			if name = strings.Trim(name, `"`); strings.EqualFold(name, "none") {
				continue
			}
			name, failed := expand(tokens.Replace(name))
			if failed != nil && err == nil {
				err = failed
			}
			files = append(files, name)
		}
		return files
	}
	identities := all.all(s.Host, "IdentityFile")
	if s.Identity != "" {
		identities = []string{s.Identity}
	}
	if p.named = len(identities) > 0; !p.named {
		identities = []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"}
	}
	p.identities, p.certs = expandAll(identities), expandAll(all.all(s.Host, "CertificateFile"))
	hosts := strings.Fields(all.first(s.Host, "UserKnownHostsFile"))
	if s.KnownHosts != "" {
		hosts = []string{s.KnownHosts}
	}
	if len(hosts) == 0 {
		hosts = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	}
	global := strings.Fields(all.first(s.Host, "GlobalKnownHostsFile"))
	if len(global) == 0 {
		global = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	p.hosts = expandAll(append(hosts, global...))
	if agent := all.first(s.Host, "IdentityAgent"); err == nil {
		p.agent, err = agentSocket(tokens.Replace(agent))
	}
	return err
}
