package transport

// Chroot lets root start the worker below another root directory, through chroot of the GNU coreutils, which becomes the
// worker. Its program is the file at that path below Dir, and must be static or find its libraries there.
//
// Names of users are looked up below Dir. Below a directory without /proc there is no guardian: what the worker leaves
// when it is killed stays.
type Chroot struct {
	// Dir is the new root, an absolute path. Required. Where chroot runs on this machine, [Build] refuses a directory that
	// others than root could have filled.
	Dir string
	// User is the target user, a name or "#uid"; empty means root.
	User string
	// Group is the primary group, a name or "#gid"; empty means the one of the target user.
	Group string
	// Program is another chroot: an absolute path, or a name that Build looks up; empty means "chroot".
	Program string
}

// Command returns chroot, its options, "--", the directory and argv.
func (c Chroot) Command(argv []string) ([]string, error) {
	prefix := []string{programOr(c.Program, "chroot")}
	user, group := definite(c.User), definite(c.Group)
	switch {
	case group != "":
		prefix = append(prefix, "--userspec="+programOr(user, "+0")+":"+group)
	case user != "":
		prefix = append(prefix, "--userspec="+user)
	}
	return prefixed(c.check(), argv, append(prefix, "--", c.Dir)...)
}

// definite writes an id so that no name can be meant.
func definite(name string) string {
	if id := number(name); id != name {
		return "+" + id
	}
	return name
}

// String is the spec form, such as "newroot=/srv/jail//user=www".
func (c Chroot) String() string {
	t := segments{}
	t.add("newroot", c.Dir)
	t.text("user", c.User)
	t.text("group", c.Group)
	t.text("program", c.Program)
	return t.join()
}

func (c Chroot) check() error {
	return checkAll(checkAbsolute("chroot directory", c.Dir), checkUserOr("chroot user", c.User),
		checkUserOr("chroot group", c.Group), checkProgram("chroot program", c.Program))
}

// checkHere looks at what is on this machine.
func (c Chroot) checkHere() error { return checkRoot("chroot directory", c.Dir) }

func (c Chroot) facts() facts { return facts{here: true} }

var chrootKind = kind{
	name:  "newroot",
	begin: func(v string) (Transport, error) { return Chroot{Dir: v}, nil },
	options: []option{
		textOption("user", func(c *Chroot) *string { return &c.User }),
		textOption("group", func(c *Chroot) *string { return &c.Group }),
		textOption("program", func(c *Chroot) *string { return &c.Program }),
	},
}
