package transport

// Docker starts the worker in a container that runs, through docker exec, without a terminal. argv arrives unchanged; words
// that are not UTF-8 are refused, because docker sends them as JSON.
//
// Who may use docker is root on the machine of its daemon. When docker is killed the worker is not, but its stdin ends;
// heartbeats find out about the rest. The worker's program must be in the container: one that is built static needs
// nothing else there, no shell and no library.
type Docker struct {
	// Container is its name or id. Required.
	Container string
	// User is who the worker runs as, "user" or "user:group", names that the container knows or numbers; empty means as
	// its image says.
	User string
	// Context is another docker context than the current one; DOCKER_HOST counts otherwise.
	Context string
	// Program is another docker: an absolute path, or a name that Build looks up; empty means "docker".
	Program string
}

// Command returns docker exec -i, its options, "--", the container and argv.
func (d Docker) Command(argv []string) ([]string, error) {
	prefix := appendSet([]string{programOr(d.Program, "docker")}, [2]string{"--context", d.Context})
	return prefixed(checkAll(d.check(), checkUTF8("docker", argv)), argv, containerExec(prefix, d.User, d.Container)...)
}

// containerExec is what docker, podman and nerdctl have in common.
func containerExec(prefix []string, user, container string) []string {
	prefix = appendSet(append(prefix, "exec", "-i"), [2]string{"--user", user})
	return append(prefix, "--", container)
}

func checkContainer(tool, container, user, program string) error {
	return checkAll(checkWord(tool+" container", container, containerBytes, maxWord), checkUserGroupOr(tool, user),
		checkProgram(tool+" program", program))
}

func checkUserGroupOr(what, text string) error {
	if text == "" {
		return nil
	}
	return checkUserGroup(what, text)
}

// String is the spec form, such as "docker=web1//user=www".
func (d Docker) String() string {
	t := segments{}
	t.add("docker", d.Container)
	t.text("user", d.User)
	t.text("context", d.Context)
	t.text("program", d.Program)
	return t.join()
}

func (d Docker) check() error {
	return checkAll(checkContainer("docker", d.Container, d.User, d.Program),
		checkWordOr("docker context", d.Context, contextBytes, maxWord))
}

func (d Docker) facts() facts { return facts{gains: true, codes: true} }

var dockerKind = kind{
	name:  "docker",
	begin: func(v string) (Transport, error) { return Docker{Container: v}, nil },
	options: []option{
		textOption("user", func(d *Docker) *string { return &d.User }),
		textOption("context", func(d *Docker) *string { return &d.Context }),
		textOption("program", func(d *Docker) *string { return &d.Program }),
	},
}
