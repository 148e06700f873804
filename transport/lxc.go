package transport

import (
	"strconv"
	"strings"
)

// LXC starts the worker in an instance of LXD, a container or a virtual machine, through lxc exec, without a terminal.
// For containers without LXD there is [LXCAttach], and for the fork of it [Incus].
//
// lxc was not run in the tests; what it runs is recorded.
type LXC struct {
	// Instance is its name, or REMOTE:NAME for one of another server. Required.
	Instance string
	// UID is the number of the user that the worker runs as; 0 is root.
	UID int
	// Project is that of the instance; empty means the current one.
	Project string
	// Program is another lxc: an absolute path, or a name that Build looks up; empty means "lxc".
	Program string
}

// Command returns lxc exec -T, its options, the instance, "--" and argv.
func (l LXC) Command(argv []string) ([]string, error) {
	return prefixed(checkAll(l.check(), checkUTF8("lxc", argv)), argv, instanceExec(programOr(l.Program, "lxc"), l.Instance, l.Project, l.UID)...)
}

// instanceExec is what lxc and incus have in common.
func instanceExec(program, instance, project string, uid int) []string {
	user := ""
	if uid != 0 {
		user = strconv.Itoa(uid)
	}
	prefix := appendSet([]string{program, "exec", "-T"}, [2]string{"--project", project}, [2]string{"--user", user})
	return append(prefix, instance, "--")
}

func checkInstance(tool, instance, project string, uid int, program string) error {
	remote, name, both := strings.Cut(instance, ":")
	if !both {
		remote, name = "", instance
	}
	if uid < 0 || uint64(uid) > maxID {
		return invalid(tool+" uid", strconv.Itoa(uid), "must be from 0 to "+strconv.FormatUint(maxID, 10))
	}
	if both {
		if err := checkWord(tool+" remote", remote, containerBytes, maxWord); err != nil {
			return err
		}
	}
	return checkAll(checkWord(tool+" instance", name, "-", maxLabelName), checkWordOr(tool+" project", project, containerBytes, maxWord),
		checkProgram(tool+" program", program))
}

// String is the spec form, such as "lxc=c1//uid=33".
func (l LXC) String() string {
	return instanceText("lxc", l.Instance, l.Project, l.UID, l.Program)
}

func instanceText(key, instance, project string, uid int, program string) string {
	t := segments{}
	t.add(key, instance)
	if uid != 0 {
		t.text("uid", strconv.Itoa(uid))
	}
	t.text("project", project)
	t.text("program", program)
	return t.join()
}

func (l LXC) check() error { return checkInstance("lxc", l.Instance, l.Project, l.UID, l.Program) }

func (l LXC) facts() facts { return facts{gains: true, codes: true} }

var lxcKind = kind{
	name:  "lxc",
	begin: func(v string) (Transport, error) { return LXC{Instance: v}, nil },
	options: []option{
		numberOption("uid", "lxc uid", func(l *LXC) *int { return &l.UID }),
		textOption("project", func(l *LXC) *string { return &l.Project }),
		textOption("program", func(l *LXC) *string { return &l.Program }),
	},
}
