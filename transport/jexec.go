package transport

// Jexec lets root of FreeBSD start the worker in a jail, through jexec, which becomes the worker. The worker's program
// must be an absolute path, of a file in the jail.
//
// jexec was not run in the tests, which have no FreeBSD; what it runs is recorded.
type Jexec struct {
	// Jail is its name or number. Required.
	Jail string
	// User is the target user, a name that the jail knows (-U); empty means root.
	User string
	// Program is another jexec: an absolute path, or a name that Build looks up; empty means "jexec".
	Program string
}

// Command returns jexec, the user, the jail and argv.
func (j Jexec) Command(argv []string) ([]string, error) {
	prefix := []string{programOr(j.Program, "jexec")}
	if j.User != "" {
		prefix = append(prefix, "-U", j.User)
	}
	return prefixed(checkAll(j.check(), needsPath("jexec", argv)), argv, append(prefix, j.Jail)...)
}

// String is the spec form, such as "jexec=web//user=www".
func (j Jexec) String() string {
	t := segments{}
	t.add("jexec", j.Jail)
	t.text("user", j.User)
	t.text("program", j.Program)
	return t.join()
}

func (j Jexec) check() error {
	return checkAll(checkWord("jexec jail", j.Jail, containerBytes, maxWord), checkNameOr("jexec user", j.User),
		checkProgram("jexec program", j.Program))
}

func (j Jexec) facts() facts { return facts{here: true} }

var jexecKind = kind{
	name:  "jexec",
	begin: func(v string) (Transport, error) { return Jexec{Jail: v}, nil },
	options: []option{
		textOption("user", func(j *Jexec) *string { return &j.User }),
		textOption("program", func(j *Jexec) *string { return &j.Program }),
	},
}
