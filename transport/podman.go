package transport

// Podman starts the worker in a container that runs, through podman exec. It is as [Docker]; without root it reaches the
// containers of the caller alone, and gives no right that the caller has not.
//
// It is tested with podman 4.3 as root. Connections, and podman without root, are recorded only.
type Podman struct {
	// Container is its name or id. Required.
	Container string
	// User is who the worker runs as, "user" or "user:group", names that the container knows or numbers; empty means as
	// its image says.
	User string
	// Connection is one of podman system connection, for containers of another machine; empty means the default.
	Connection string
	// Program is another podman: an absolute path, or a name that Build looks up; empty means "podman".
	Program string
}

// Command returns podman exec -i, its options, "--", the container and argv.
func (p Podman) Command(argv []string) ([]string, error) {
	prefix := appendSet([]string{programOr(p.Program, "podman")}, [2]string{"--connection", p.Connection})
	return prefixed(checkAll(p.check(), checkUTF8("podman", argv)), argv, containerExec(prefix, p.User, p.Container)...)
}

// String is the spec form, such as "podman=web1//user=www".
func (p Podman) String() string {
	t := segments{}
	t.add("podman", p.Container)
	t.text("user", p.User)
	t.text("connection", p.Connection)
	t.text("program", p.Program)
	return t.join()
}

func (p Podman) check() error {
	return checkAll(checkContainer("podman", p.Container, p.User, p.Program),
		checkWordOr("podman connection", p.Connection, contextBytes, maxWord))
}

func (p Podman) facts() facts { return facts{gains: true, codes: true} }

var podmanKind = kind{
	name:  "podman",
	begin: func(v string) (Transport, error) { return Podman{Container: v}, nil },
	options: []option{
		textOption("user", func(p *Podman) *string { return &p.User }),
		textOption("connection", func(p *Podman) *string { return &p.Connection }),
		textOption("program", func(p *Podman) *string { return &p.Program }),
	},
}
