package transports

import (
	"fmt"
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

var namespaces = registry.Register("transports.namespaces", func() (map[string]string, error) { return namespacesOf("self") })

// namespacesOf are the kinds that can be entered or made without a user namespace.
func namespacesOf(process string) (map[string]string, error) {
	found := map[string]string{}
	for _, kind := range []string{"mnt", "uts", "ipc", "net", "pid", "cgroup"} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%s/ns/%s", process, kind))
		if err != nil {
			return nil, err
		}
		found[kind] = link
	}
	return found, nil
}

// TestNamespaces: what is asked for is new, or the target's; the rest is the caller's.
func TestNamespaces(t *testing.T) {
	prepare(t)
	mine, err := namespacesOf("self")
	must(t, err)
	target := elsewhere(t, "--mount", "--uts", "--net")
	its, err := namespacesOf(fmt.Sprint(target))
	must(t, err)
	everything := transport.Namespaces{Mount: true, UTS: true, IPC: true, Net: true, PID: true, Cgroup: true}
	for _, c := range []struct {
		via  transport.Transport
		want func(kind, got string) bool
	}{
		{transport.Unshare{Namespaces: everything}, func(kind, got string) bool { return got != mine[kind] }},
		{transport.Unshare{Namespaces: transport.Namespaces{Net: true}},
			func(kind, got string) bool { return (got != mine[kind]) == (kind == "net") }},
		{transport.Nsenter{Target: target}, func(kind, got string) bool { return got == its[kind] }},
		{transport.Nsenter{Target: target, Namespaces: transport.Namespaces{UTS: true, Net: true}}, func(kind, got string) bool {
			if kind == "uts" || kind == "net" {
				return got == its[kind]
			}
			return got == mine[kind]
		}},
	} {
		got, err := namespaces.On(delivery.Once{Via: c.via})()
		must(t, err)
		for kind, link := range got {
			if !c.want(kind, link) {
				t.Errorf("%s: %s is %s; the caller's is %s, the target's %s", c.via, kind, link, mine[kind], its[kind])
			}
		}
	}
}
