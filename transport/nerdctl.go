package transport

// Nerdctl starts the worker in a container of containerd that runs, through nerdctl exec. It is as [Docker].
//
// nerdctl was not run in the tests; what it runs is recorded, and is what docker runs.
type Nerdctl struct {
	// Container is its name or id. Required.
	Container string
	// User is who the worker runs as, "user" or "user:group", names that the container knows or numbers; empty means as
	// its image says.
	User string
	// Namespace is that of containerd, such as "k8s.io"; empty means "default".
	Namespace string
	// Program is another nerdctl: an absolute path, or a name that Build looks up; empty means "nerdctl".
	Program string
}

// Command returns nerdctl exec -i, its options, "--", the container and argv.
func (n Nerdctl) Command(argv []string) ([]string, error) {
	prefix := appendSet([]string{programOr(n.Program, "nerdctl")}, [2]string{"--namespace", n.Namespace})
	return prefixed(checkAll(n.check(), checkUTF8("nerdctl", argv)), argv, containerExec(prefix, n.User, n.Container)...)
}

// String is the spec form, such as "nerdctl=web1//namespace=k8s.io".
func (n Nerdctl) String() string {
	t := segments{}
	t.add("nerdctl", n.Container)
	t.text("user", n.User)
	t.text("namespace", n.Namespace)
	t.text("program", n.Program)
	return t.join()
}

func (n Nerdctl) check() error {
	return checkAll(checkContainer("nerdctl", n.Container, n.User, n.Program),
		checkWordOr("nerdctl namespace", n.Namespace, containerBytes, maxWord))
}

func (n Nerdctl) facts() facts { return facts{gains: true, codes: true} }

var nerdctlKind = kind{
	name:  "nerdctl",
	begin: func(v string) (Transport, error) { return Nerdctl{Container: v}, nil },
	options: []option{
		textOption("user", func(n *Nerdctl) *string { return &n.User }),
		textOption("namespace", func(n *Nerdctl) *string { return &n.Namespace }),
		textOption("program", func(n *Nerdctl) *string { return &n.Program }),
	},
}
