package transport

// Userns starts the worker as root of a fresh user namespace, through util-linux unshare. No privilege is needed and
// none is gained: to the rest of the system the worker is still the caller, who may kill it. It sees itself as uid 0,
// and files of real root as owned by uid 65534. Linux only; some systems forbid it to ordinary users.
type Userns struct {
	// Program is another unshare: an absolute path, or a name that Build looks up; empty means "unshare".
	Program string
}

// Command returns unshare --user --map-root-user -- and argv.
func (u Userns) Command(argv []string) ([]string, error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	if err := checkArgv(argv); err != nil {
		return nil, err
	}
	return append([]string{programOr(u.Program, "unshare"), "--user", "--map-root-user", "--"}, argv...), nil
}

// String is the spec form: "userns".
func (u Userns) String() string {
	t := segments{}
	t.add("userns", "")
	t.text("program", u.Program)
	return t.join()
}

func (u Userns) check() error { return checkProgram("userns program", u.Program) }

func (u Userns) facts() facts { return facts{here: true} }

var usernsKind = kind{
	name:    "userns",
	begin:   func(v string) (Transport, error) { return Userns{}, noValue("userns", v) },
	options: []option{textOption("program", func(u *Userns) *string { return &u.Program })},
}
