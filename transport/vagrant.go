package transport

// Vagrant starts the worker in a virtual machine of vagrant, through vagrant ssh -c, without a terminal. The argv is
// quoted once, for the login shell there; what its profile prints comes before anything that the worker writes. Each
// start takes a second or more, which is vagrant's: [SSH] with the output of vagrant ssh-config is much faster.
//
// vagrant looks for its Vagrantfile from the caller's directory upwards, or in VAGRANT_CWD.
//
// vagrant was not run in the tests; what it runs is recorded.
type Vagrant struct {
	// Machine is its name or id; empty means the only one, or the primary one.
	Machine string
	// Program is another vagrant: an absolute path, or a name that Build looks up; empty means "vagrant".
	Program string
}

// Command returns vagrant ssh, its options with argv as one quoted string, and the machine.
func (v Vagrant) Command(argv []string) ([]string, error) {
	if err := checkAll(v.check(), checkArgv(argv), checkUTF8("vagrant", argv)); err != nil {
		return nil, err
	}
	out := []string{programOr(v.Program, "vagrant"), "ssh", "--no-tty", "--command", loginLine(argv)}
	if v.Machine != "" {
		out = append(out, v.Machine)
	}
	return out, nil
}

// String is the spec form, such as "vagrant=web".
func (v Vagrant) String() string {
	t := segments{}
	t.add("vagrant", v.Machine)
	t.text("program", v.Program)
	return t.join()
}

func (v Vagrant) check() error {
	return checkAll(checkWordOr("vagrant machine", v.Machine, containerBytes, maxWord), checkProgram("vagrant program", v.Program))
}

func (v Vagrant) facts() facts { return facts{away: true, codes: true} }

var vagrantKind = kind{
	name:    "vagrant",
	begin:   func(v string) (Transport, error) { return Vagrant{Machine: v}, nil },
	options: []option{textOption("program", func(v *Vagrant) *string { return &v.Program })},
}
