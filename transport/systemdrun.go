package transport

import (
	"fmt"
	"strings"
)

// maxMachine is the longest name of a machine of systemd, which is a host name.
const maxMachine = 64

// SystemdRun has the service manager start the worker as a service of its own, through systemd-run: in its own control
// group, with whatever limits Properties set, and not a child of the caller. It asks nobody for a password. The way back
// is a pipe, also into containers, where [Machinectl] has a terminal.
//
// The manager expands variables in argv, so each '$' is doubled on the way; the worker's program must not have one.
//
// systemd-run was not run in the tests, as it needs a machine that systemd has booted; what it runs is recorded, and what
// it says without one is that of 252.
type SystemdRun struct {
	// User is the target user, a name or "#uid"; empty means root.
	User string
	// Group is the primary group, a name or "#gid"; empty means the one of the target user.
	Group string
	// Machine is a local container of systemd-machined; empty means this machine.
	Machine string
	// Properties are settings of the service as "Key=Value", see systemd.resource-control(5) and systemd.exec(5). Some
	// run programs.
	Properties []string
	// Program is another systemd-run: an absolute path, or a name that Build looks up; empty means "systemd-run".
	Program string
}

// Command returns systemd-run, its options, "--" and argv.
func (s SystemdRun) Command(argv []string) ([]string, error) {
	prefix := appendSet([]string{programOr(s.Program, "systemd-run"), "--pipe", "--wait", "--collect", "--quiet",
		"--no-ask-password", "--service-type=exec"}, [2]string{"--machine", s.Machine},
		[2]string{"--uid", number(s.User)}, [2]string{"--gid", number(s.Group)})
	for _, property := range s.Properties {
		prefix = append(prefix, "--property="+property)
	}
	argv, err := doubleDollars("systemd", argv)
	return prefixed(checkAll(s.check(), err), argv, append(prefix, "--")...)
}

// doubleDollars writes argv so that systemd's expansion of variables gives it back.
func doubleDollars(tool string, argv []string) ([]string, error) {
	if err := checkAll(checkArgv(argv), checkUTF8(tool, argv)); err != nil {
		return nil, err
	}
	if strings.Contains(argv[0], "$") {
		return nil, invalid("argv[0]", argv[0], "contains '$', which "+tool+" may expand or not in the name of a program")
	}
	out := make([]string, len(argv))
	for i, word := range argv {
		out[i] = strings.ReplaceAll(word, "$", "$$")
	}
	return out, nil
}

// String is the spec form, such as "systemd_run=www//property=MemoryMax=1G".
func (s SystemdRun) String() string {
	t := segments{}
	t.add("systemd_run", s.User)
	t.text("group", s.Group)
	t.text("machine", s.Machine)
	for _, property := range s.Properties {
		t.text("property", property)
	}
	t.text("program", s.Program)
	return t.join()
}

func (s SystemdRun) check() error {
	for _, property := range s.Properties {
		if err := checkProperty(property); err != nil {
			return err
		}
	}
	return checkAll(checkUserOr("systemd-run user", s.User), checkUserOr("systemd-run group", s.Group),
		checkWordOr("systemd-run machine", s.Machine, containerBytes, maxMachine), checkProgram("systemd-run program", s.Program))
}

// checkProperty checks one "Key=Value" for systemd-run -p.
func checkProperty(property string) error {
	const what = "systemd-run property"
	key, _, found := strings.Cut(property, "=")
	if !found || key == "" {
		return invalid(what, property, "is not in the form Key=Value")
	}
	for i := range len(key) {
		if !alphanumeric(key[i]) {
			return invalid(what, property, fmt.Sprintf("byte %s at %d is not allowed; a key has letters and digits",
				shownByte(key[i]), i))
		}
	}
	return checkText(what, property)
}

func (s SystemdRun) facts() facts { return facts{gains: true, codes: true} }

var systemdRunKind = kind{
	name:  "systemd_run",
	begin: func(v string) (Transport, error) { return SystemdRun{User: v}, nil },
	options: []option{
		textOption("group", func(s *SystemdRun) *string { return &s.Group }),
		textOption("machine", func(s *SystemdRun) *string { return &s.Machine }),
		eachOption("property", func(s *SystemdRun) *[]string { return &s.Properties }),
		textOption("program", func(s *SystemdRun) *string { return &s.Program }),
	},
}
