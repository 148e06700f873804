package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

// owners says who else than root could replace a program: each directory, link and file on the way has to be root's, and
// writable by nobody else. There is no exception for directories with the sticky bit: whoever makes a file there first,
// owns it. Where the program does not run with more rights than its user has, its user may own them too.
func owners(program string, asRoot bool) []Finding {
	if inUserNamespace() {
		return []Finding{{Check: checkProgram, Severity: Note, What: notChecked + "who could replace the program: in this user namespace, files do not show whose they are",
			Fix: "Look from outside, at the host of the container for instance."}}
	}
	var found []Finding
	named, links := program, 0
	_, _, _ = pathway.Walk(program, func(at string, info fs.FileInfo) error { // runnable, or the transport, says what is not there
		if f, bad := replaceable(at, info, asRoot); bad {
			found = append(found, f)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return nil
		}
		if links++; links == 1 && at == named && asRoot {
			target, _ := os.Readlink(at)
			found = append(found, Finding{Check: checkProgram, Severity: Warning,
				What: fmt.Sprintf("%s is a symbolic link to %s", at, target),
				Fix:  "Name the file itself, in rules and with binary=, so that a changed link changes nothing that runs as root."})
		}
		return nil
	})
	return found
}

// replaceable says what is wrong with the owner or mode of one step on the way.
func replaceable(at string, info fs.FileInfo, asRoot bool) (Finding, bool) {
	f := Finding{Check: checkProgram, Severity: Error, Fix: "Install the program as root's in root's directories, such as /usr/local/bin, and give its path with binary=."}
	if !asRoot {
		f.Severity = Warning
	}
	why := changed(at, info, asRoot, !asRoot)
	sticky := info.Mode()&fs.ModeSticky != 0
	switch {
	case why == "", sticky && !asRoot && strings.HasPrefix(why, "is writable"):
		return f, false
	case sticky && info.Mode().Perm()&0o002 != 0:
		f.What = fmt.Sprintf("in %s everybody can make files (mode 1%03o), and whoever does so first owns the program", at, info.Mode().Perm())
		f.Fix = "Install the program where only root can write, such as /usr/local/bin."
		return f, true
	case strings.HasPrefix(why, "is writable"):
		f.Fix = "Install the program where only root can write, such as /usr/local/bin, or run: chmod go-w " + at + "."
	}
	f.What = fmt.Sprintf("%s %s, who can so replace the program", at, why)
	return f, true
}

// changed says who else than root can change a step on the way to a file, or what is in it; with !asRoot, who else than this
// process's user, too. It is empty if nobody can. A link has no mode of its own. With lenient, a group without other members
// is nobody.
func changed(at string, info fs.FileInfo, asRoot, lenient bool) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	mine := func(uid uint32) bool { return uid == 0 || !asRoot && int64(uid) == int64(os.Geteuid()) }
	perm := info.Mode().Perm()
	open := fmt.Sprintf("is writable by group or others (mode %04o)", perm)
	switch {
	case !ok || info.Mode()&fs.ModeSymlink != 0 && mine(stat.Uid):
		return ""
	case !mine(stat.Uid):
		return fmt.Sprintf("belongs to uid %d", stat.Uid)
	case perm&0o002 != 0:
		return open
	case perm&0o020 == 0:
		return ""
	}
	writers, has := writersByACL(at)
	if (!has || writers.group) && !(lenient && closed(stat.Gid, mine)) { // with a list, the bits of the group are those of its mask
		return open
	}
	for _, uid := range writers.users {
		if !mine(uid) {
			return fmt.Sprintf("is writable by uid %d (its access control list)", uid)
		}
	}
	for _, gid := range writers.groups {
		if !lenient || !closed(gid, mine) {
			return fmt.Sprintf("is writable by gid %d (its access control list)", gid)
		}
	}
	return ""
}

// closed reports whether a group has no members but these users: such as the one that many systems give each user. One that is
// not in the files of this machine is not closed, as its members are not known.
func closed(gid uint32, mine func(uid uint32) bool) bool {
	number := strconv.FormatUint(uint64(gid), 10)
	users := map[string]bool{}
	for _, fields := range database("/etc/passwd") {
		if len(fields) > 3 {
			uid, err := strconv.ParseUint(fields[2], 10, 32)
			users[fields[0]] = err == nil && mine(uint32(uid))
			if fields[3] == number && !users[fields[0]] {
				return false
			}
		}
	}
	for _, fields := range database("/etc/group") {
		if len(fields) > 3 && fields[2] == number {
			return !slices.ContainsFunc(strings.Split(fields[3], ","), func(name string) bool { return name != "" && !users[name] })
		}
	}
	return false
}

// database are the lines of a file such as /etc/group.
func database(file string) [][]string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var all [][]string
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.Split(strings.TrimSpace(line), ":"))
	}
	return all
}
