package transport

import (
	"slices"
	"strings"
	"time"
)

// A kind is a key that begins a hop.
type kind struct {
	name  string
	begin func(value string) (Transport, error)
}

var kinds = []kind{
	{"self", func(v string) (Transport, error) { return Self{}, noValue("self", v) }},
	{"popen", func(v string) (Transport, error) { return Self{}, noValue("popen", v) }},
	{"sudo", func(v string) (Transport, error) { return Sudo{User: v}, nil }},
	{"ssh", beginSSH},
	{"userns", func(v string) (Transport, error) { return Userns{}, noValue("userns", v) }},
	{"command", func(v string) (Transport, error) {
		words, err := splitWords(v)
		return Command{Prefix: words}, err
	}},
}

func noValue(key, value string) error {
	if value != "" {
		return invalid(key, value, "takes no value")
	}
	return nil
}

func beginSSH(value string) (Transport, error) {
	if value == "" {
		return nil, invalid("ssh host", value, "is empty; write ssh=HOST, ssh=USER@HOST or ssh=HOST:PORT")
	}
	a, err := parseAddress(value)
	return SSH{User: a.user, Host: a.host, Port: a.port}, err
}

// An option is a key that refines the hop before it.
type option struct {
	name   string
	flag   bool // takes no value
	repeat bool // may stand there several times
	// set returns hop with the option; ok is false when the option is not for this kind of hop.
	set func(hop Transport, value string) (changed Transport, ok bool, err error)
}

func sudoText(field func(*Sudo) *string) func(Transport, string) (Transport, bool, error) {
	return func(hop Transport, value string) (Transport, bool, error) {
		sudo, ok := hop.(Sudo)
		*field(&sudo) = value
		return sudo, ok, nil
	}
}

func sudoFlag(field func(*Sudo) *bool) func(Transport, string) (Transport, bool, error) {
	return func(hop Transport, _ string) (Transport, bool, error) {
		sudo, ok := hop.(Sudo)
		*field(&sudo) = true
		return sudo, ok, nil
	}
}

func sshText(field func(*SSH) *string) func(Transport, string) (Transport, bool, error) {
	return func(hop Transport, value string) (Transport, bool, error) {
		ssh, ok := hop.(SSH)
		*field(&ssh) = value
		return ssh, ok, nil
	}
}

func sshDuration(what string, field func(*SSH) *time.Duration) func(Transport, string) (Transport, bool, error) {
	return func(hop Transport, value string) (Transport, bool, error) {
		ssh, ok := hop.(SSH)
		d, err := time.ParseDuration(value)
		if err != nil || d == 0 {
			err = invalid(what, value, "is not a time; write whole seconds, such as 30s or 2m")
		}
		*field(&ssh) = d
		return ssh, ok, err
	}
}

var options = []option{
	{name: "group", set: sudoText(func(s *Sudo) *string { return &s.Group })},
	{name: "home", flag: true, set: sudoFlag(func(s *Sudo) *bool { return &s.Home })},
	{name: "login", flag: true, set: sudoFlag(func(s *Sudo) *bool { return &s.Login })},
	{name: "sudo_dir", set: sudoText(func(s *Sudo) *string { return &s.Dir })},
	{name: "chroot", set: sudoText(func(s *Sudo) *string { return &s.Chroot })},
	{name: "preserve_env", set: setPreserveEnv},
	{name: "reset_ticket", flag: true, set: sudoFlag(func(s *Sudo) *bool { return &s.ResetTicket })},
	{name: "identity", set: sshText(func(s *SSH) *string { return &s.Identity })},
	{name: "ssh_config", set: sshText(func(s *SSH) *string { return &s.ConfigFile })},
	{name: "known_hosts", set: sshText(func(s *SSH) *string { return &s.KnownHosts })},
	{name: "jump", set: sshText(func(s *SSH) *string { return &s.Jump })},
	{name: "option", repeat: true, set: setOption},
	{name: "no_share", flag: true, set: setNoShare},
	{name: "persist", set: sshDuration("ssh persist", func(s *SSH) *time.Duration { return &s.Persist })},
	{name: "connect_timeout", set: sshDuration("ssh connect timeout",
		func(s *SSH) *time.Duration { return &s.ConnectTimeout })},
	{name: "program", set: setProgram},
}

func setPreserveEnv(hop Transport, value string) (Transport, bool, error) {
	sudo, ok := hop.(Sudo)
	sudo.PreserveEnv = strings.Split(value, ",")
	return sudo, ok, nil
}

func setOption(hop Transport, value string) (Transport, bool, error) {
	ssh, ok := hop.(SSH)
	ssh.Options = append(slices.Clone(ssh.Options), value)
	return ssh, ok, nil
}

func setNoShare(hop Transport, _ string) (Transport, bool, error) {
	ssh, ok := hop.(SSH)
	ssh.NoShare = true
	return ssh, ok, nil
}

func setProgram(hop Transport, value string) (Transport, bool, error) {
	switch hop := hop.(type) {
	case Sudo:
		hop.Program = value
		return hop, true, nil
	case SSH:
		hop.Program = value
		return hop, true, nil
	case Userns:
		hop.Program = value
		return hop, true, nil
	}
	return hop, false, nil
}

// foreign is advice for keys of execnet that have another name or no place here.
var foreign = map[string]string{
	"python":              "write binary=/path/of/the/program, and sudo as a hop of its own",
	"via":                 "write the hops in one spec, the nearest first: ssh=gate//ssh=inner",
	"vagrant_ssh":         "write ssh=HOST//ssh_config=FILE with the output of vagrant ssh-config",
	"socket":              "an unauthenticated socket is not offered; use ssh=HOST",
	"installvia":          "an unauthenticated socket is not offered; use ssh=HOST",
	"execmodel":           "workers have one execution model; leave it out",
	"dont_write_bytecode": "nothing is compiled; leave it out",
	"user":                "write sudo=USER or ssh=USER@HOST",
	"host":                "write ssh=HOST",
	"port":                "write ssh=HOST:PORT",
}
