package transport

// Run0 has the service manager start the worker as another user, through run0 of systemd 256 or later. It asks nobody on
// the terminal; an agent of the desktop may still ask. argv arrives unchanged: run0 expands no variables.
//
// run0 was not run in the tests, as it needs a machine that systemd has booted; what it runs is recorded.
type Run0 struct {
	// User is the target user, by name; empty means root.
	User string
	// Group is the primary group, by name; empty means the one of the target user.
	Group string
	// Machine is a local container of systemd-machined; empty means this machine.
	Machine string
	// Program is another run0: an absolute path, or a name that Build looks up; empty means "run0".
	Program string
}

// Command returns run0, its options, "--" and argv. run0 takes a terminal only where all streams are one.
func (r Run0) Command(argv []string) ([]string, error) {
	prefix := appendSet([]string{programOr(r.Program, "run0"), "--no-ask-password"}, [2]string{"--machine", r.Machine},
		[2]string{"--user", r.User}, [2]string{"--group", r.Group})
	return prefixed(checkAll(r.check(), checkUTF8("systemd", argv)), argv, append(prefix, "--")...)
}

// String is the spec form, such as "run0=www//group=adm".
func (r Run0) String() string {
	t := segments{}
	t.add("run0", r.User)
	t.text("group", r.Group)
	t.text("machine", r.Machine)
	t.text("program", r.Program)
	return t.join()
}

func (r Run0) check() error {
	return checkAll(checkNameOr("run0 user", r.User), checkNameOr("run0 group", r.Group),
		checkWordOr("run0 machine", r.Machine, containerBytes, maxMachine), checkProgram("run0 program", r.Program))
}

func (r Run0) facts() facts { return facts{gains: true, codes: true} }

var run0Kind = kind{
	name:  "run0",
	begin: func(v string) (Transport, error) { return Run0{User: v}, nil },
	options: []option{
		textOption("group", func(r *Run0) *string { return &r.Group }),
		textOption("machine", func(r *Run0) *string { return &r.Machine }),
		textOption("program", func(r *Run0) *string { return &r.Program }),
	},
}
