package transport_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/transport"
)

// strange is a transport of another package.
type strange struct{ argv []string }

func (s strange) Command([]string) ([]string, error) { return s.argv, nil }
func (s strange) String() string                     { return "strange" }

func TestHops(t *testing.T) {
	t.Parallel()
	nested := transport.Chain{nil, viaGate, transport.Chain{transport.Self{}, transport.Chain{viaSSH}, transport.Chain{}}, viaSudo}
	if diff := cmp.Diff([]transport.Transport{viaGate, viaSSH, viaSudo}, transport.Hops(nested)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, via := range []transport.Transport{nil, transport.Self{}, transport.Chain{}, transport.Chain{nil}} {
		if hops := transport.Hops(via); len(hops) != 0 {
			t.Errorf("%v: got %v", via, hops)
		}
	}
	if got := (transport.Chain{nil}).String(); got != "self" {
		t.Errorf("got %q", got)
	}
}

func TestChainRefuses(t *testing.T) {
	t.Parallel()
	argv := []string{"/x"}
	many := transport.Chain{}
	for _, user := range strings.Split("abcdefgh", "") {
		many = append(many, transport.Sudo{User: user})
	}
	if _, err := many.Command(argv); err != nil {
		t.Errorf("eight hops: %v", err)
	}
	for want, via := range map[string]transport.Transport{
		"chain: has 9 hops; at most 8 are allowed": transport.Chain{many, transport.Chain{viaUserns}},
		`chain: the hop "sudo=www" stands there more than 3 times; the chain runs in circles`: transport.Chain{
			viaSudo, viaSSH, viaSudo, viaGate, viaSudo, viaUserns, viaSudo},
		`host "-x": must not begin with '-', it would be read as an option`:        transport.Chain{viaSudo, transport.SSH{Host: "-x"}},
		"argv is empty; give at least the program to run (what strange would run)": transport.Chain{strange{}},
		"argv[0] is empty; give the program to run (what strange would run)":       strange{[]string{""}},
	} {
		if _, err := transport.Build(via, argv); err == nil || err.Error() != "transport: "+want {
			t.Errorf("got %v, want transport: %s", err, want)
		}
	}
	long := []string{"/x", strings.Repeat("'", 100_000)}
	_, err := transport.Chain{viaSSH}.Command(long)
	if err == nil || !strings.HasSuffix(err.Error(), "one argument may have 131071, send data on stdin (what ssh=web1//no_share would run)") {
		t.Errorf("too long after quoting: %.300v", err)
	}
}

func TestGainsPrivilege(t *testing.T) {
	t.Parallel()
	command := transport.Command{Prefix: []string{"env"}}
	for _, c := range []struct {
		via  transport.Transport
		want bool
	}{
		{nil, false},
		{transport.Self{}, false},
		{transport.Chain{}, false},
		{viaSudo, true},
		{&viaSudo, true},
		{command, true},
		{strange{}, true},
		{viaSSH, false},
		{viaUserns, false},
		{transport.Chain{viaSSH, viaSudo}, false},
		{transport.Chain{viaSudo, viaSSH}, true},
		{transport.Chain{viaUserns, viaSSH, command}, false},
		{transport.Chain{transport.Chain{viaUserns}, transport.Chain{command}}, true},
		{transport.Su{}, true},
		{transport.Doas{}, true},
		{transport.Runuser{User: "www"}, false},
		{transport.Setpriv{NoNewPrivs: true}, false},
		{transport.Chain{transport.Setpriv{NoNewPrivs: true}, transport.Su{}}, true},
		{transport.Docker{Container: "c"}, true},
		{viaPod, false},
		{transport.Chain{viaPod, transport.Su{}}, false},
		{transport.Chain{transport.Docker{Container: "c"}, viaPod}, true},
		{transport.Template{Words: []string{"env", "{argv}"}}, true},
	} {
		if got := transport.GainsPrivilege(c.via); got != c.want {
			t.Errorf("%v: got %v", c.via, got)
		}
	}
}

// TestFacts pins what callers depend on: whether descriptors pass, whether bytes change, and what a signal looks like.
func TestFacts(t *testing.T) {
	t.Parallel()
	const here, text, codes, keeps = 1, 2, 4, 8
	for _, c := range []struct {
		via  transport.Transport
		want int
	}{
		{nil, here},
		{viaSudo, here},
		{transport.Su{}, here | codes | keeps},
		{transport.Doas{}, here | codes | keeps},
		{transport.Runuser{User: "www"}, here | codes | keeps},
		{transport.Setpriv{NoNewPrivs: true}, here},
		{transport.Chroot{Dir: "/srv"}, here},
		{transport.Unshare{Namespaces: transport.Namespaces{Mount: true}}, here},
		{transport.Unshare{Namespaces: transport.Namespaces{PID: true}}, here | codes},
		{transport.Nsenter{Target: 1}, here},
		{transport.Pkexec{}, here},
		{transport.Jexec{Jail: "1"}, here},
		{viaSSH, codes | keeps},
		{viaPod, codes | keeps},
		{transport.Docker{Container: "c"}, codes | keeps},
		{transport.Run0{}, codes | keeps},
		{transport.SystemdRun{}, codes | keeps},
		{transport.Machinectl{Machine: "m"}, text | codes | keeps},
		{transport.BSub{}, text | codes | keeps},
		{transport.Template{Words: []string{"env", "{argv}"}}, 0},
		{transport.Template{Words: []string{"env", "{argv}"}, Text: true}, text},
		{transport.Chain{viaSudo, transport.Su{}}, here | codes},
		{transport.Chain{transport.Su{}, viaSSH, transport.Machinectl{Machine: "m"}}, text | codes | keeps},
		{strange{}, 0},
	} {
		got := 0
		for bit, is := range map[int]func(transport.Transport) bool{
			here: transport.Local, text: transport.TextOnly, codes: transport.CodesSignals, keeps: transport.KeepsSignals,
		} {
			if is(c.via) {
				got |= bit
			}
		}
		if got != c.want {
			t.Errorf("%v: got %04b, want %04b", c.via, got, c.want)
		}
	}
}

// TestExplain: a step holds exactly what the step before it hands on.
func TestExplain(t *testing.T) {
	t.Parallel()
	steps, err := transport.Explain(transport.Chain{viaSudo, viaUserns}, worker)
	if err != nil {
		t.Fatal(err)
	}
	want := []transport.Step{
		{Hop: "sudo=www", Argv: []string{"sudo", "-n", "-u", "www", "--", "/usr/bin/unshare", "--user", "--map-root-user", "--", "/opt/app", "__deliver"}},
		{Hop: "userns", Argv: []string{"/usr/bin/unshare", "--user", "--map-root-user", "--", "/opt/app", "__deliver"}},
		{Hop: "self", Argv: []string{"/opt/app", "__deliver"}},
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := transport.Explain(nil, nil); err == nil {
		t.Error("an empty argv was explained")
	}
}
