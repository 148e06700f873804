package transport

import (
	"fmt"
	"strconv"
)

// Nsenter lets root start the worker in namespaces of another process, through util-linux nsenter.
//
// With Mount the worker's program, and the libraries of one that is not static, are files of that process's, and run as
// root: enter the mount namespaces of those only whom you trust as much. Without it they are files of the caller's.
type Nsenter struct {
	// Target is the number of that process. Required.
	Target int
	// Namespaces are those to enter; none means all that are not the caller's already. PID needs Mount, for a /proc that
	// shows the same processes.
	Namespaces Namespaces
	// Program is another nsenter: an absolute path, or a name that Build looks up; empty means "nsenter".
	Program string
}

// Command returns nsenter, its options, "--" and argv.
func (n Nsenter) Command(argv []string) ([]string, error) {
	prefix := []string{programOr(n.Program, "nsenter"), "--target", strconv.Itoa(n.Target)}
	names := n.Namespaces.names()
	if len(names) == 0 {
		names = []string{"all"}
	}
	for _, name := range names {
		prefix = append(prefix, "--"+name)
	}
	return prefixed(n.check(), argv, append(prefix, "--")...)
}

// String is the spec form, such as "nsenter=1234//namespaces=mount,pid".
func (n Nsenter) String() string {
	t := segments{}
	t.add("nsenter", strconv.Itoa(n.Target))
	t.text("namespaces", n.Namespaces.String())
	t.text("program", n.Program)
	return t.join()
}

// maxPID is the largest number that Linux gives to a process.
const maxPID = 1 << 22

func (n Nsenter) check() error {
	if n.Target < 1 || n.Target > maxPID {
		return invalid("nsenter target", strconv.Itoa(n.Target), fmt.Sprintf("must be the number of a process, 1 to %d", maxPID))
	}
	if n.Namespaces.PID && !n.Namespaces.Mount {
		return invalid("nsenter namespaces", n.Namespaces.String(), "pid needs mount: /proc would show other processes")
	}
	return checkProgram("nsenter program", n.Program)
}

func (n Nsenter) facts() facts { return facts{here: true} }

var nsenterKind = kind{
	name: "nsenter",
	begin: func(v string) (Transport, error) {
		target, err := parseNumber("nsenter target", v)
		return Nsenter{Target: target}, err
	},
	options: []option{
		{name: "namespaces", set: func(hop Transport, value string) (_ Transport, err error) {
			changed := hop.(Nsenter)
			changed.Namespaces, err = parseNamespaces("nsenter namespaces", value)
			return changed, err
		}},
		textOption("program", func(n *Nsenter) *string { return &n.Program }),
	},
}
