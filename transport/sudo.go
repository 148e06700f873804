package transport

import (
	"fmt"
	"strings"
)

// Sudo starts the worker as another user through sudo. It does not ask for a password: without a NOPASSWD rule or a
// cached ticket sudo fails at once. See [Asking] for the other way.
//
// sudo closes every descriptor from 3 up, cleans the environment, and hands argv on unchanged; only Login puts a
// shell in between. The fields Dir and Chroot need runcwd= and runchroot= in sudoers, even for root.
type Sudo struct {
	// User is the target user, a name or "#uid"; empty means root.
	User string
	// Group is the primary group, a name or "#gid"; empty means the one of the target user.
	Group string
	// Home sets HOME to the home directory of the target user (-H).
	Home bool
	// Login runs the target user's login shell with its profile, in its home directory (-i). That shell gets the
	// command as one string that sudo escapes, but sudo leaves '$' alone, and empty words and newlines get lost.
	// Where argv has any of these it travels as octal escapes that a /bin/sh behind the login shell decodes, so argv
	// still arrives byte for byte if the login shell is a POSIX shell, fish or csh. What the profile prints to stdout
	// comes before anything that the worker writes. sudoers must allow the login shell, not only the worker.
	Login bool
	// Dir is the working directory (-D), an absolute path on the far side.
	Dir string
	// Chroot is the root directory (-R), an absolute path on the far side. sudo 1.9.14 to 1.9.17 loads libraries out
	// of it as root before it looks at sudoers (CVE-2025-32463), so where sudo runs on this machine [Build] refuses
	// a directory that anyone but root could have filled.
	Chroot string
	// PreserveEnv names variables of the caller that survive; sudoers must allow it (SETENV).
	PreserveEnv []string
	// ResetTicket ignores a cached password ticket (-k), so only a NOPASSWD rule lets the worker start.
	ResetTicket bool
	// Program is another sudo: an absolute path, or a name that Build looks up; empty means "sudo".
	Program string
}

// Command returns sudo -n, the options, "--" and argv.
func (s Sudo) Command(argv []string) ([]string, error) { return s.command(argv, "-n") }

// command is Command with -n, or -A to ask.
func (s Sudo) command(argv []string, ask string) ([]string, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := checkArgv(argv); err != nil {
		return nil, err
	}
	out := append([]string{programOr(s.Program, "sudo")}, s.options(ask)...)
	out = append(out, "--")
	if s.Login {
		argv = loginSafe(argv)
	}
	return append(out, argv...), nil
}

func (s Sudo) options(ask string) []string {
	out := []string{ask}
	flag := func(on bool, name string) {
		if on {
			out = append(out, name)
		}
	}
	flag(s.ResetTicket, "-k")
	flag(s.Home, "-H")
	flag(s.Login, "-i")
	user := s.User
	if user == "" && s.Group != "" {
		user = "root" // sudo -g without -u keeps the calling user
	}
	for _, o := range [][2]string{{"-u", user}, {"-g", s.Group}, {"-D", s.Dir}, {"-R", s.Chroot}} {
		if o[1] != "" {
			out = append(out, o[0], o[1])
		}
	}
	if len(s.PreserveEnv) > 0 {
		out = append(out, "--preserve-env="+strings.Join(s.PreserveEnv, ","))
	}
	return out
}

// String is the spec form, such as "sudo=www//group=adm".
func (s Sudo) String() string {
	t := segments{}
	t.add("sudo", s.User)
	t.text("group", s.Group)
	t.flag("home", s.Home)
	t.flag("login", s.Login)
	t.text("sudo_dir", s.Dir)
	t.text("chroot", s.Chroot)
	t.text("preserve_env", strings.Join(s.PreserveEnv, ","))
	t.flag("reset_ticket", s.ResetTicket)
	t.text("program", s.Program)
	return t.join()
}

func (s Sudo) check() error {
	if s.User != "" {
		if err := checkNameOrID("sudo user", s.User); err != nil {
			return err
		}
	}
	if s.Group != "" {
		if err := checkNameOrID("sudo group", s.Group); err != nil {
			return err
		}
	}
	for _, field := range [][2]string{{"sudo directory", s.Dir}, {"sudo chroot", s.Chroot}} {
		if field[1] == "" {
			continue
		}
		if err := checkAbsolute(field[0], field[1]); err != nil {
			return err
		}
	}
	for _, name := range s.PreserveEnv {
		if err := checkEnvName(name); err != nil {
			return fmt.Errorf("%w (in PreserveEnv)", err)
		}
	}
	return checkProgram("sudo program", s.Program)
}

func (s Sudo) facts() facts { return facts{gains: true, here: true} }

// checkHere looks at what is on this machine.
func (s Sudo) checkHere() error {
	if s.Chroot == "" {
		return nil
	}
	return checkRoot("sudo chroot", s.Chroot)
}

var sudoKind = kind{
	name:  "sudo",
	begin: func(v string) (Transport, error) { return Sudo{User: v}, nil },
	options: []option{
		textOption("group", func(s *Sudo) *string { return &s.Group }),
		flagOption("home", func(s *Sudo) *bool { return &s.Home }),
		flagOption("login", func(s *Sudo) *bool { return &s.Login }),
		textOption("sudo_dir", func(s *Sudo) *string { return &s.Dir }),
		textOption("chroot", func(s *Sudo) *string { return &s.Chroot }),
		listOption("preserve_env", func(s *Sudo) *[]string { return &s.PreserveEnv }),
		flagOption("reset_ticket", func(s *Sudo) *bool { return &s.ResetTicket }),
		textOption("program", func(s *Sudo) *string { return &s.Program }),
	},
}
