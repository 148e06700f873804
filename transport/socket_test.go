package transport

import (
	"slices"
	"strings"
	"testing"
)

const pin = "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// TestSocketCommand: of the worker's argv, only the program and the names go on.
func TestSocketCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		via  Transport
		argv []string
		want []string
	}{
		{Socket{Path: "/run/a.sock"}, []string{"/opt/app", "__deliver"}, []string{"/opt/app", "__connect", "/run/a.sock"}},
		{Socket{Path: "/run/a.sock"}, []string{"/opt/app", "__deliver", "x,y"}, []string{"/opt/app", "__connect", "/run/a.sock", "", "x,y"}},
		{Socket{Path: "/run/a b", User: "#7"}, []string{"/opt/app", "__deliver"}, []string{"/opt/app", "__connect", "/run/a b", "#7"}},
		{Socket{Address: "web1:7413", TLS: TLS{Cert: "/c", Key: "/k", CA: "/a"}}, []string{"/opt/app", "__deliver"},
			[]string{"/opt/app", "__connect", "tls:web1:7413", "/c", "/k", "/a"}},
		{Socket{Address: "[::1]:7413", TLS: TLS{Cert: "/c", Key: "/k", Pin: pin, Name: "web1"}}, []string{"/opt/app", "__deliver", "x,y"},
			[]string{"/opt/app", "__connect", "tls:[::1]:7413", "/c", "/k", "", pin, "web1", "x,y"}},
		{Chain{Setpriv{NoCaps: true}, Socket{Path: "/run/a.sock"}}, []string{"/opt/app", "__deliver"},
			[]string{"setpriv", "--inh-caps=-all", "--bounding-set=-all", "--", "/opt/app", "__connect", "/run/a.sock"}},
	} {
		got, err := c.via.Command(c.argv)
		if err != nil || c.argv[0] == got[0] && !slices.Equal(got, c.want) || !slices.Equal(got[len(got)-3:], c.want[len(c.want)-3:]) {
			t.Errorf("%s: %q, %v; want %q", c.via, got, err, c.want)
		}
	}
}

// TestSocketRefuses: a server runs no argv, and there is no server without authentication.
func TestSocketRefuses(t *testing.T) {
	t.Parallel()
	worker := []string{"/opt/app", "__deliver"}
	full := TLS{Cert: "/c", Key: "/k", CA: "/a"}
	for _, c := range []struct {
		name string
		via  Transport
		argv []string
		want string
	}{
		{"another program", Socket{Path: "/run/a"}, []string{"/bin/sh", "-c", "id"}, "put the socket last"},
		{"no worker", Socket{Path: "/run/a"}, []string{"/opt/app"}, "put the socket last"},
		{"a hop behind it", Chain{Socket{Path: "/run/a"}, Sudo{}}, worker, "put the socket last"},
		{"relative program", Socket{Path: "/run/a"}, []string{"app", "__deliver"}, "not an absolute path"},
		{"no argv", Socket{Path: "/run/a"}, nil, "argv is empty"},
		{"no path", Socket{}, worker, "neither an absolute path"},
		{"TCP as a path", Socket{Path: "web1:8888"}, worker, "neither an absolute path"},
		{"TCP without certificates", Socket{Address: "web1:8888"}, worker, "needs a certificate and its key"},
		{"TCP without a key", Socket{Address: "web1:8888", TLS: TLS{Cert: "/c", CA: "/a"}}, worker, "needs a certificate and its key"},
		{"TCP without an authority", Socket{Address: "web1:8888", TLS: TLS{Cert: "/c", Key: "/k"}}, worker, "needs to know the server"},
		{"TCP without a port", Socket{Address: "web1", TLS: full}, worker, "nor host:port"},
		{"TCP with a service", Socket{Address: "web1:http", TLS: full}, worker, "no port"},
		{"TCP with port 0", Socket{Address: "web1:0", TLS: full}, worker, "no port"},
		{"TCP and a user", Socket{Address: "web1:1", User: "x", TLS: full}, worker, "neither path nor user"},
		{"TCP and a path", Socket{Address: "web1:1", Path: "/run/a", TLS: full}, worker, "neither path nor user"},
		{"a host that is an option", Socket{Address: "-x:1", TLS: full}, worker, "must not begin with '-'"},
		{"a relative key", Socket{Address: "web1:1", TLS: TLS{Cert: "/c", Key: "k", CA: "/a"}}, worker, "not an absolute path of a file"},
		{"a list without an authority", Socket{Address: "web1:1", TLS: TLS{Cert: "/c", Key: "/k", Pin: pin, CRL: "/l"}}, worker, "is of an authority"},
		{"a short pin", Socket{Address: "web1:1", TLS: TLS{Cert: "/c", Key: "/k", Pin: "sha256:AAAA"}}, worker, "is not sha256:"},
		{"a pin of another kind", Socket{Address: "web1:1", TLS: TLS{Cert: "/c", Key: "/k", Pin: "md5:" + pin[7:]}}, worker, "is not sha256:"},
		{"a bad name", Socket{Address: "web1:1", TLS: TLS{Cert: "/c", Key: "/k", CA: "/a", Name: "a b"}}, worker, "is not allowed"},
		{"TLS on a path", Socket{Path: "/run/a", TLS: full}, worker, "TLS is for host:port"},
		{"abstract", Socket{Path: "@app"}, worker, "neither an absolute path"},
		{"unclean", Socket{Path: "/run//../a"}, worker, "not a clean path"},
		{"directory", Socket{Path: "/run/"}, worker, "not a clean path"},
		{"long", Socket{Path: "/" + strings.Repeat("x", maxSocket)}, worker, "may have 107"},
		{"control byte", Socket{Path: "/run/a\nb"}, worker, "control byte"},
		{"option", Socket{Path: "/run/a", User: "-x"}, worker, "must not begin with '-'"},
	} {
		if got, err := c.via.Command(c.argv); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
		if _, err := Build(c.via, c.argv); err == nil {
			t.Errorf("%s: Build gave no error", c.name)
		}
	}
}
