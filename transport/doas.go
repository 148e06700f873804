package transport

// Doas starts the worker as another user through doas (OpenDoas 6.8, OpenBSD). It does not ask for a password: without a
// rule with nopass or a ticket from persist, doas fails at once. See [Asking] for the other way.
//
// doas closes every descriptor from 3 up, makes a new environment, and hands argv on unchanged.
type Doas struct {
	// User is the target user, a name or "#uid"; empty means root.
	User string
	// Program is another doas: an absolute path, or a name that Build looks up; empty means "doas".
	Program string
}

// Command returns doas -n, the user, "--" and argv.
func (d Doas) Command(argv []string) ([]string, error) { return d.command(argv, "-n") }

// command is Command with other options than -n, or none, to ask.
func (d Doas) command(argv []string, options ...string) ([]string, error) {
	prefix := append([]string{programOr(d.Program, "doas")}, options...)
	if d.User != "" {
		prefix = append(prefix, "-u", number(d.User))
	}
	return prefixed(d.check(), argv, append(prefix, "--")...)
}

// String is the spec form, such as "doas=www".
func (d Doas) String() string {
	t := segments{}
	t.add("doas", d.User)
	t.text("program", d.Program)
	return t.join()
}

func (d Doas) check() error {
	return checkAll(checkUserOr("doas user", d.User), checkProgram("doas program", d.Program))
}

func (d Doas) facts() facts { return facts{gains: true, here: true, codes: true} }

var doasKind = kind{
	name:    "doas",
	begin:   func(v string) (Transport, error) { return Doas{User: v}, nil },
	options: []option{textOption("program", func(d *Doas) *string { return &d.Program })},
}
