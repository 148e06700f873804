package transport

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPersist        = 60 * time.Second
	defaultConnectTimeout = 10 * time.Second
	maxSSHDuration        = 24 * time.Hour
)

// SSH starts the worker on another host through the OpenSSH client. It does not prompt: keys come from the agent, from
// Identity or from ssh's own configuration, and host keys are checked as that configuration says. See [Asking] for
// passwords and passphrases.
//
// ssh joins its words and the login shell of the far user splits them again, so argv is quoted for exactly one shell:
// sh, dash, bash, ksh, zsh, fish, csh or tcsh. There is no terminal and no local forwarding is added. A dead peer is noticed
// after 45 s (three unanswered probes, one every 15 s); without them a broken network looks like a quiet worker until
// TCP gives up, hours later.
//
// By default the first call leaves a connection open for Persist, which later calls with the same fields reuse
// without a new key exchange. Its socket stands in a directory that only this user can enter, see [SSH.CloseShared].
type SSH struct {
	// Host is a name, an IPv4 address, or an IPv6 address without brackets. Required; see [CheckHost].
	Host string
	// User is the far user; empty lets ssh decide (its configuration, then the local name).
	User string
	// Port is 1 to 65535; 0 lets ssh decide (its configuration, then 22).
	Port int
	// Identity is the private key file; with it no other key is tried (IdentitiesOnly). Absolute, or "~/…".
	Identity string
	// ConfigFile replaces ssh's configuration files (-F). Absolute, or "~/…", or "none".
	ConfigFile string
	// KnownHosts is the file of host keys that this user trusts, instead of ~/.ssh/known_hosts. Absolute, or "~/…".
	KnownHosts string
	// Jump lists hosts to go through, "[user@]host[:port]", separated by commas (-J).
	Jump string
	// Options are further settings as "Key=Value" (-o, see ssh_config(5)). They win over the configuration files.
	// Keys that this transport sets itself are refused, and so is a StrictHostKeyChecking that lets any host through.
	// Some keys, such as ProxyCommand, run programs.
	Options []string
	// NoShare opens a connection of its own for each call.
	NoShare bool
	// Persist is how long an unused shared connection stays open, in whole seconds; 0 means 60 s.
	Persist time.Duration
	// ConnectTimeout is how long a connection may take to come up, in whole seconds; 0 means 10 s.
	ConnectTimeout time.Duration
	// Program is another ssh: an absolute path, or a name that Build looks up; empty means "ssh".
	Program string
}

// Command returns ssh, its options, "--", the host, and argv as one quoted string. Unless NoShare is set it creates
// the directory for the shared connection if that is missing; it starts nothing.
func (s SSH) Command(argv []string) ([]string, error) { return s.command(argv, false, false) }

// farSSH is an SSH hop behind another hop: no directory of ours is there, so the connection is not shared.
type farSSH struct{ SSH }

func (f farSSH) Command(argv []string) ([]string, error) { return f.SSH.command(argv, true, false) }

func (s SSH) command(argv []string, far, ask bool) ([]string, error) {
	if err := checkArgv(argv); err != nil {
		return nil, err
	}
	out, err := s.client(far, ask)
	if err != nil {
		return nil, err
	}
	return append(out, "--", s.Host, loginLine(argv)), nil
}

// client is the ssh command line up to the host. Of several values for one key ssh takes the first, so the user's
// options stand before our defaults.
func (s SSH) client(far, ask bool) ([]string, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	out := []string{programOr(s.Program, "ssh"), "-T"}
	set := func(key, value string) { out = append(out, "-o", key+"="+value) }
	if ask {
		set("BatchMode", "no")
		set("NumberOfPasswordPrompts", "1")
	} else {
		set("BatchMode", "yes")
	}
	set("RemoteCommand", "none") // one in the configuration would make ssh refuse ours
	if err := s.files(far, &out); err != nil {
		return nil, err
	}
	for _, option := range s.Options {
		out = append(out, "-o", option)
	}
	set("ConnectTimeout", seconds(s.ConnectTimeout, defaultConnectTimeout))
	set("ServerAliveInterval", "15")
	set("ServerAliveCountMax", "3")
	if s.NoShare || far {
		set("ControlPath", "none")
	} else {
		path, err := s.controlPath()
		if err != nil {
			return nil, err
		}
		set("ControlMaster", "auto")
		set("ControlPath", path)
		set("ControlPersist", seconds(s.Persist, defaultPersist))
	}
	for _, o := range [][2]string{{"-J", s.Jump}, {"-l", s.User}} {
		if o[1] != "" {
			out = append(out, o[0], o[1])
		}
	}
	if s.Port != 0 {
		out = append(out, "-p", strconv.Itoa(s.Port))
	}
	return out, nil
}

// seconds writes a duration as ssh wants it.
func seconds(d, fallback time.Duration) string {
	if d == 0 {
		d = fallback
	}
	return strconv.Itoa(int(d / time.Second))
}

// String is the spec form, such as "ssh=deploy@web1:2222//jump=gate".
func (s SSH) String() string {
	t := segments{}
	t.add("ssh", address{s.User, s.Host, s.Port}.String())
	t.text("identity", s.Identity)
	t.text("ssh_config", s.ConfigFile)
	t.text("known_hosts", s.KnownHosts)
	t.text("jump", s.Jump)
	for _, option := range s.Options {
		t.text("option", option)
	}
	t.flag("no_share", s.NoShare)
	if s.Persist != 0 {
		t.text("persist", s.Persist.String())
	}
	if s.ConnectTimeout != 0 {
		t.text("connect_timeout", s.ConnectTimeout.String())
	}
	t.text("program", s.Program)
	return t.join()
}

func (s SSH) check() error {
	if err := CheckHost(s.Host); err != nil {
		return err
	}
	if s.User != "" {
		if err := checkName("ssh user", s.User); err != nil {
			return err
		}
	}
	if s.Port != 0 {
		if err := checkPort("ssh port", s.Port); err != nil {
			return err
		}
	}
	if err := s.checkPaths(); err != nil {
		return err
	}
	if err := checkJump(s.Jump); err != nil {
		return err
	}
	for _, option := range s.Options {
		if err := checkOption(option); err != nil {
			return err
		}
	}
	if err := checkSeconds("ssh persist", s.Persist); err != nil {
		return err
	}
	if err := checkSeconds("ssh connect timeout", s.ConnectTimeout); err != nil {
		return err
	}
	return checkProgram("ssh program", s.Program)
}

func checkSeconds(what string, d time.Duration) error {
	if d == 0 || d >= time.Second && d <= maxSSHDuration && d%time.Second == 0 {
		return nil
	}
	return invalid(what, d.String(), fmt.Sprintf("must be whole seconds from 1s to %s", maxSSHDuration))
}

// checkJump checks a list of [user@]host[:port].
func checkJump(jump string) error {
	if jump == "" {
		return nil
	}
	hosts := strings.Split(jump, ",")
	if len(hosts) > maxHops {
		return invalid("ssh jump", jump, fmt.Sprintf("has %d hosts; at most %d are allowed", len(hosts), maxHops))
	}
	for _, host := range hosts {
		if _, err := parseAddress(host); err != nil {
			return fmt.Errorf("%w (in the jump hosts)", err)
		}
	}
	return nil
}
