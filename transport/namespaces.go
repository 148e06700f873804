package transport

import (
	"fmt"
	"strings"

	"github.com/seed354a1416/deliveryboy/internal/spelling"
)

// Namespaces are kinds of namespaces of Linux, for [Unshare] and [Nsenter]. In a spec they are names with commas between
// them: mount, uts, ipc, net, pid, cgroup, time, user.
type Namespaces struct {
	Mount  bool // what is mounted where
	UTS    bool // the host's name
	IPC    bool // System V and POSIX queues
	Net    bool // interfaces, addresses, ports
	PID    bool // processes
	Cgroup bool // the root of control groups
	Time   bool // the monotonic clock
	User   bool // user and group ids
}

// fields are the kinds in the order in which they are written.
func (n *Namespaces) fields() []struct {
	name string
	on   *bool
} {
	return []struct {
		name string
		on   *bool
	}{
		{"mount", &n.Mount}, {"uts", &n.UTS}, {"ipc", &n.IPC}, {"net", &n.Net}, {"pid", &n.PID}, {"cgroup", &n.Cgroup},
		{"time", &n.Time}, {"user", &n.User},
	}
}

// names are those that are on.
func (n Namespaces) names() []string {
	var names []string
	for _, f := range n.fields() {
		if *f.on {
			names = append(names, f.name)
		}
	}
	return names
}

// String is the list as a spec has it.
func (n Namespaces) String() string { return strings.Join(n.names(), ",") }

// parseNamespaces reads what String writes, in any order.
func parseNamespaces(what, text string) (Namespaces, error) {
	var n Namespaces
	fields := n.fields()
	allowed := make([]string, len(fields))
	for i, f := range fields {
		allowed[i] = f.name
	}
words:
	for _, name := range strings.Split(text, ",") {
		for _, f := range fields {
			if f.name == name {
				*f.on = true
				continue words
			}
		}
		if near := spelling.Near(name, allowed, 1); len(near) > 0 {
			return n, invalid(what, name, fmt.Sprintf("is no kind of namespace; did you mean %q?", near[0]))
		}
		return n, invalid(what, name, "is no kind of namespace; there are "+strings.Join(allowed, ", "))
	}
	return n, nil
}
