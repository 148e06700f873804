package xssh

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/kevinburke/ssh_config"
)

// A place is where to go, as who, and what to trust there.
type place struct {
	address    string // host:port
	user       string
	identities []string // files of private keys
	only       bool     // these, and no agent
	hosts      []string // files of known hosts
	algorithms []string // of host keys that are known there
	trusted    bool     // its key was the right one
}

// elsewhere are the settings of ssh that would lead to another host, trust another key, or say who we are in another way.
// Each has the values that mean nothing.
var elsewhere = map[string][]string{
	"ProxyJump": {"none"}, "ProxyCommand": {"none"}, "HostKeyAlias": nil, "KnownHostsCommand": {"none"}, "CertificateFile": {"none"},
	"IdentityAgent": {"SSH_AUTH_SOCK"}, "PKCS11Provider": {"none"}, "BindAddress": nil, "BindInterface": nil, "RevokedHostKeys": {"none"},
	"CanonicalizeHostname": {"no"}, "PubkeyAuthentication": {"yes"}, "HostKeyAlgorithms": nil, "Ciphers": nil, "KexAlgorithms": nil,
	"MACs": nil, "PubkeyAcceptedAlgorithms": nil, "CASignatureAlgorithms": nil, "RequiredRSASize": nil,
}

// resolve reads ssh's configuration for a host.
func resolve(s SSH) (*place, error) {
	configs, err := readConfigs(s.ConfigFile)
	if err != nil {
		return nil, err
	}
	get := func(key string) []string {
		for _, c := range configs {
			if values, err := c.GetAll(s.Host, key); err == nil && len(values) > 0 {
				return values
			}
		}
		return nil
	}
	for key, harmless := range elsewhere {
		if values := get(key); len(values) > 0 && !slices.Contains(harmless, strings.ToLower(values[0])) && !slices.Contains(harmless, values[0]) {
			return nil, fmt.Errorf("%s %s in ssh's configuration: it is not known here; use transport.SSH, which runs ssh", key, values[0])
		}
	}
	p := &place{user: s.User}
	if err := p.goTo(s, get); err != nil {
		return nil, err
	}
	if p.user == "" {
		if p.user = first(get("User")); p.user == "" {
			me, err := user.Current()
			if err != nil {
				return nil, err
			}
			p.user = me.Username
		}
	}
	p.only = s.Identity != "" || strings.EqualFold(first(get("IdentitiesOnly")), "yes")
	return p, p.files(s, get)
}

func (p *place) goTo(s SSH, get func(string) []string) error {
	host, port := s.Host, strconv.Itoa(s.Port)
	if name := first(get("HostName")); name != "" {
		host = strings.ReplaceAll(name, "%h", s.Host)
	}
	if s.Port == 0 {
		if port = first(get("Port")); port == "" {
			port = "22"
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strings.Contains(host, "%") && net.ParseIP(strings.Split(host, "%")[0]) == nil {
		return fmt.Errorf("%q: no host and port in ssh's configuration", host+":"+port)
	}
	p.address = net.JoinHostPort(host, port)
	return nil
}

// files are those with keys: the ones that were asked for, or those of the configuration, or the usual ones.
func (p *place) files(s SSH, get func(string) []string) error {
	p.identities = get("IdentityFile")
	if s.Identity != "" {
		p.identities = []string{s.Identity}
	}
	if len(p.identities) == 0 {
		p.identities = []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"}
	}
	p.hosts = strings.Fields(strings.Join(get("UserKnownHostsFile"), " "))
	if s.KnownHosts != "" {
		p.hosts = []string{s.KnownHosts}
	}
	if len(p.hosts) == 0 {
		p.hosts = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	}
	global := strings.Fields(strings.Join(get("GlobalKnownHostsFile"), " "))
	if len(global) == 0 {
		global = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	p.hosts = append(p.hosts, global...)
	for _, list := range [][]string{p.identities, p.hosts} {
		for i, name := range list {
			var err error
			if list[i], err = expand(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// readConfigs reads the user's configuration and the system's, or the one file that replaces both.
func readConfigs(file string) ([]*ssh_config.Config, error) {
	names := []string{"~/.ssh/config", "/etc/ssh/ssh_config"}
	switch file {
	case "none":
		return nil, nil
	case "":
	default:
		names = []string{file}
	}
	var configs []*ssh_config.Config
	for _, name := range names {
		c, err := readConfig(name)
		if errors.Is(err, fs.ErrNotExist) && file == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ssh's configuration: %w", err)
		}
		configs = append(configs, c)
	}
	return configs, nil
}

func readConfig(name string) (*ssh_config.Config, error) {
	name, err := expand(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 && int(st.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s: others can write to it, or own it", name)
	}
	c, err := ssh_config.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; use transport.SSH, which runs ssh", name, err)
	}
	return c, nil
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// expand makes an absolute path of one below the home directory.
func expand(name string) (string, error) {
	name = strings.Trim(name, `"`)
	rest, below := strings.CutPrefix(name, "~/")
	home := os.Getenv("HOME")
	switch {
	case below && filepath.IsAbs(home):
		return filepath.Join(home, rest), nil
	case !filepath.IsAbs(name) || strings.Contains(name, "%"):
		return "", fmt.Errorf("file %q of ssh's configuration: an absolute path, or one below a home that is known, is needed", name)
	}
	return name, nil
}
