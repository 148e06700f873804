package transport

// Machinectl starts the worker in a container of systemd-machined, through machinectl shell. There is always a terminal in
// between, which changes bytes (systemd issue 3837), so the wire stays in its text form; and the exit code is lost.
// [SystemdRun] with Machine has neither fault: prefer it. The worker's program must be an absolute path; see [SystemdRun]
// for '$' in argv.
//
// machinectl was not run in the tests, as it needs a machine that systemd has booted; what it runs is recorded.
type Machinectl struct {
	// Machine is its name, or ".host" for this one. Required.
	Machine string
	// User is the target user, by name; empty means root.
	User string
	// Program is another machinectl: an absolute path, or a name that Build looks up; empty means "machinectl".
	Program string
}

// Command returns machinectl, its options, shell, the machine and argv.
func (m Machinectl) Command(argv []string) ([]string, error) {
	prefix := appendSet([]string{programOr(m.Program, "machinectl"), "--quiet", "--no-ask-password"}, [2]string{"--uid", m.User})
	argv, err := doubleDollars("machinectl", argv)
	if err == nil {
		err = needsPath("machinectl", argv)
	}
	return prefixed(checkAll(m.check(), err), argv, append(prefix, "shell", m.Machine)...)
}

// String is the spec form, such as "machinectl=web1//user=www".
func (m Machinectl) String() string {
	t := segments{}
	t.add("machinectl", m.Machine)
	t.text("user", m.User)
	t.text("program", m.Program)
	return t.join()
}

func (m Machinectl) check() error {
	if m.Machine != ".host" {
		if err := checkWord("machinectl machine", m.Machine, containerBytes, maxMachine); err != nil {
			return err
		}
	}
	return checkAll(checkNameOr("machinectl user", m.User), checkProgram("machinectl program", m.Program))
}

func (m Machinectl) facts() facts { return facts{gains: true, codes: true, text: true} }

var machinectlKind = kind{
	name:  "machinectl",
	begin: func(v string) (Transport, error) { return Machinectl{Machine: v}, nil },
	options: []option{
		textOption("user", func(m *Machinectl) *string { return &m.User }),
		textOption("program", func(m *Machinectl) *string { return &m.Program }),
	},
}
