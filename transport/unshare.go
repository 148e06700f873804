package transport

import "fmt"

// Unshare starts the worker in namespaces of its own, through util-linux unshare. That needs root, unless User is among
// them, where the worker is root of the new user namespace, and the caller to the rest of the system; for that alone
// there is [Userns].
//
// With PID the worker's descendants are all that it sees, in a /proc of its own, for which there is a mount namespace too;
// unshare stays as its parent, and when unshare dies the kernel kills them all.
type Unshare struct {
	// Namespaces are those that the worker gets. At least one.
	Namespaces Namespaces
	// Program is another unshare: an absolute path, or a name that Build looks up; empty means "unshare".
	Program string
}

// Command returns unshare, its options, "--" and argv.
func (u Unshare) Command(argv []string) ([]string, error) {
	prefix := []string{programOr(u.Program, "unshare")}
	for _, name := range u.Namespaces.names() {
		prefix = append(prefix, "--"+name)
	}
	if u.Namespaces.User {
		prefix = append(prefix, "--map-root-user")
	}
	if u.Namespaces.PID {
		prefix = append(prefix, "--fork", "--kill-child", "--mount-proc")
	}
	return prefixed(u.check(), argv, append(prefix, "--")...)
}

// String is the spec form, such as "unshare=mount,net".
func (u Unshare) String() string {
	t := segments{}
	t.add("unshare", u.Namespaces.String())
	t.text("program", u.Program)
	return t.join()
}

func (u Unshare) check() error {
	if u.Namespaces == (Namespaces{}) {
		return fmt.Errorf("transport: unshare: names no namespaces; write for instance unshare=mount,net")
	}
	return checkProgram("unshare program", u.Program)
}

// With PID the worker's guardian is the first process there, which no signal of its own ends.
func (u Unshare) facts() facts {
	return facts{here: true, codes: u.Namespaces.PID, mirrors: true}
}

var unshareKind = kind{
	name: "unshare",
	begin: func(v string) (Transport, error) {
		if v == "" {
			return Unshare{}, Unshare{}.check()
		}
		n, err := parseNamespaces("unshare", v)
		return Unshare{Namespaces: n}, err
	},
	options: []option{textOption("program", func(u *Unshare) *string { return &u.Program })},
}
