package transport

import (
	"slices"
	"strings"
	"testing"
)

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
		{"no path", Socket{}, worker, "not an absolute path"},
		{"TCP", Socket{Path: "web1:8888"}, worker, "TCP is not offered"},
		{"abstract", Socket{Path: "@app"}, worker, "not an absolute path"},
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
