package transport

// Pkexec starts the worker as another user through polkit's pkexec. It asks nobody on the terminal; an agent of the
// desktop may still ask. pkexec closes every descriptor from 3 up, makes a new environment, and hands argv on unchanged.
// The worker's program must be an absolute path.
//
// It needs the system's message bus and polkitd. It is tested with pkexec 122 and a rule that asks for nothing.
type Pkexec struct {
	// User is the target user, by name; empty means root.
	User string
	// Program is another pkexec: an absolute path, or a name that Build looks up; empty means "pkexec".
	Program string
}

// Command returns pkexec --disable-internal-agent, the user and argv.
func (p Pkexec) Command(argv []string) ([]string, error) {
	prefix := []string{programOr(p.Program, "pkexec"), "--disable-internal-agent"}
	if p.User != "" {
		prefix = append(prefix, "--user", p.User)
	}
	return prefixed(checkAll(p.check(), needsPath("pkexec", argv)), argv, prefix...)
}

// String is the spec form, such as "pkexec=www".
func (p Pkexec) String() string {
	t := segments{}
	t.add("pkexec", p.User)
	t.text("program", p.Program)
	return t.join()
}

func (p Pkexec) check() error {
	return checkAll(checkNameOr("pkexec user", p.User), checkProgram("pkexec program", p.Program))
}

func (p Pkexec) facts() facts { return facts{gains: true, here: true} }

var pkexecKind = kind{
	name:    "pkexec",
	begin:   func(v string) (Transport, error) { return Pkexec{User: v}, nil },
	options: []option{textOption("program", func(p *Pkexec) *string { return &p.Program })},
}
