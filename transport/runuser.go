package transport

// Runuser lets root start the worker as another user through util-linux runuser, with a PAM session and without asking.
// There is no shell in between. The environment stays the caller's.
type Runuser struct {
	// User is the target user, by name. Required.
	User string
	// Group is the primary group, by name (-g); empty means the one of the target user.
	Group string
	// Program is another runuser: an absolute path, or a name that Build looks up; empty means "runuser".
	Program string
}

// Command returns runuser -u, the user, the group, "--" and argv.
func (r Runuser) Command(argv []string) ([]string, error) {
	prefix := []string{programOr(r.Program, "runuser"), "-u", r.User}
	if r.Group != "" {
		prefix = append(prefix, "-g", r.Group)
	}
	return prefixed(r.check(), argv, append(prefix, "--")...)
}

// String is the spec form, such as "runuser=www".
func (r Runuser) String() string {
	t := segments{}
	t.add("runuser", r.User)
	t.text("group", r.Group)
	t.text("program", r.Program)
	return t.join()
}

func (r Runuser) check() error {
	return checkAll(checkName("runuser user", r.User), checkNameOr("runuser group", r.Group),
		checkProgram("runuser program", r.Program))
}

func (r Runuser) facts() facts { return facts{here: true, codes: true} }

var runuserKind = kind{
	name:  "runuser",
	begin: func(v string) (Transport, error) { return Runuser{User: v}, nil },
	options: []option{
		textOption("group", func(r *Runuser) *string { return &r.Group }),
		textOption("program", func(r *Runuser) *string { return &r.Program }),
	},
}
