package transport

// LXCAttach starts the worker in a container of LXC, without LXD or Incus, through lxc-attach. It makes no terminal,
// because none of the worker's streams is one.
//
// It is tested with lxc-attach 5.0 as root.
type LXCAttach struct {
	// Container is its name. Required.
	Container string
	// Program is another lxc-attach: an absolute path, or a name that Build looks up; empty means "lxc-attach".
	Program string
}

// Command returns lxc-attach with an environment of its own, the container, "--" and argv.
func (l LXCAttach) Command(argv []string) ([]string, error) {
	return prefixed(l.check(), argv, programOr(l.Program, "lxc-attach"), "--clear-env", "--name="+l.Container, "--")
}

// String is the spec form, such as "lxc_attach=c1".
func (l LXCAttach) String() string {
	t := segments{}
	t.add("lxc_attach", l.Container)
	t.text("program", l.Program)
	return t.join()
}

func (l LXCAttach) check() error {
	return checkAll(checkWord("lxc-attach container", l.Container, containerBytes, maxWord),
		checkProgram("lxc-attach program", l.Program))
}

func (l LXCAttach) facts() facts { return facts{gains: true, codes: true} }

var lxcAttachKind = kind{
	name:    "lxc_attach",
	begin:   func(v string) (Transport, error) { return LXCAttach{Container: v}, nil },
	options: []option{textOption("program", func(l *LXCAttach) *string { return &l.Program })},
}
