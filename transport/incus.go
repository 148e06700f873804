package transport

// Incus starts the worker in an instance of Incus, a container or a virtual machine, through incus exec, without a
// terminal.
//
// incus was not run in the tests; what it runs is recorded.
type Incus struct {
	// Instance is its name, or REMOTE:NAME for one of another server. Required.
	Instance string
	// UID is the number of the user that the worker runs as; 0 is root.
	UID int
	// Project is that of the instance; empty means the current one.
	Project string
	// Program is another incus: an absolute path, or a name that Build looks up; empty means "incus".
	Program string
}

// Command returns incus exec -T, its options, the instance, "--" and argv.
func (i Incus) Command(argv []string) ([]string, error) {
	return prefixed(checkAll(i.check(), checkUTF8("incus", argv)), argv, instanceExec(programOr(i.Program, "incus"), i.Instance, i.Project, i.UID)...)
}

// String is the spec form, such as "incus=c1//uid=33".
func (i Incus) String() string {
	return instanceText("incus", i.Instance, i.Project, i.UID, i.Program)
}

func (i Incus) check() error { return checkInstance("incus", i.Instance, i.Project, i.UID, i.Program) }

func (i Incus) facts() facts { return facts{gains: true, codes: true} }

var incusKind = kind{
	name:  "incus",
	begin: func(v string) (Transport, error) { return Incus{Instance: v}, nil },
	options: []option{
		numberOption("uid", "incus uid", func(i *Incus) *int { return &i.UID }),
		textOption("project", func(i *Incus) *string { return &i.Project }),
		textOption("program", func(i *Incus) *string { return &i.Program }),
	},
}
