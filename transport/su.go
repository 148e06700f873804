package transport

// Su starts the worker as another user through su of util-linux, shadow or busybox. Callers that are root, or whom PAM
// trusts (pam_wheel with trust, pam_rootok), need no password; others need somebody who gives one: see [Asking].
//
// su has no option that forbids it to ask. Where nobody is there to be asked, it takes for an answer the first line on
// stdin, which is the worker's: one attempt, which fails. Secrets in the worker's environment may then be seen by PAM.
// Use [Sudo] or [Doas] where that matters.
//
// su hands one string to /bin/sh, so argv is quoted for that shell. For a target user whose shell is not in /etc/shells,
// su takes that shell instead, unless the caller is root.
type Su struct {
	// User is the target user, by name; empty means root.
	User string
	// Group is the primary group, by name (-g); only root may choose it. Empty means the one of the target user.
	Group string
	// Login reads the target user's profile, in its home directory (-l). What the profile prints to stdout comes before
	// anything that the worker writes.
	Login bool
	// Program is another su: an absolute path, or a name that Build looks up; empty means "su".
	Program string
}

// Command returns su, its options, -c and argv as one quoted string, "--" and the user.
func (s Su) Command(argv []string) ([]string, error) { return s.command(argv, "") }

// command is Command with something behind argv for the shell.
func (s Su) command(argv []string, redirections string) ([]string, error) {
	if err := checkAll(s.check(), checkArgv(argv)); err != nil {
		return nil, err
	}
	out := []string{programOr(s.Program, "su")}
	if s.Login {
		out = append(out, "-l")
	}
	if s.Group != "" {
		out = append(out, "-g", s.Group)
	}
	line := quoteCommand(argv) + redirections
	if argv[0][0] != '-' { // which exec would take for an option
		line = "exec " + line // no shell stays between su and the worker
	}
	return append(out, "-s", "/bin/sh", "-c", line, "--", programOr(s.User, "root")), nil
}

// String is the spec form, such as "su=www//login".
func (s Su) String() string {
	t := segments{}
	t.add("su", s.User)
	t.text("group", s.Group)
	t.flag("login", s.Login)
	t.text("program", s.Program)
	return t.join()
}

func (s Su) check() error {
	return checkAll(checkNameOr("su user", s.User), checkNameOr("su group", s.Group), checkProgram("su program", s.Program))
}

func (s Su) facts() facts { return facts{gains: true, here: true, codes: true} }

var suKind = kind{
	name:  "su",
	begin: func(v string) (Transport, error) { return Su{User: v}, nil },
	options: []option{
		textOption("group", func(s *Su) *string { return &s.Group }),
		flagOption("login", func(s *Su) *bool { return &s.Login }),
		textOption("program", func(s *Su) *string { return &s.Program }),
	},
}
