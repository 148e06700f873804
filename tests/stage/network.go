package stage

import "strconv"

// A Network is two places with a router between them: the caller's, and a far one with an ssh server of its own, whose
// settings about dead connections are sshd's defaults. Only those who ask for it are in it; see [Network.Argv].
type Network struct {
	Host      string // the far server's address
	Port      int
	SSHConfig string // for ssh -F, in the caller's place
	root      *Root
}

// NeedNetwork is [Stage.NeedSudo] for [Root.Network].
func (s *Stage) NeedNetwork(t TB) {
	t.Helper()
	s.need(t, Networks)
	s.need(t, SSH)
	s.need(t, RootHelper)
	s.need(t, Sudo)
}

// Network returns the network of the stage, and builds it when it is not there yet. At the end of the test its router
// forwards. The whole stage has one, so the test must not be parallel.
func (r *Root) Network(t TB) *Network {
	t.Helper()
	if _, err := r.call(request{Verb: "network", Text: "up"}); err != nil {
		t.Fatal(err)
	}
	n := &Network{Host: farAddress, Port: farPort, SSHConfig: r.stage.Home + "/.ssh/network", root: r}
	t.Cleanup(func() {
		if err := n.Join(); err != nil {
			t.Fatal(err)
		}
	})
	return n
}

// Cut has the router drop everything, without a word to either side.
func (n *Network) Cut() error { return n.tell("cut") }

// Join has the router forward again.
func (n *Network) Join() error { return n.tell("join") }

func (n *Network) tell(text string) error {
	_, err := n.root.call(request{Verb: "network", Text: text})
	return err
}

// Argv is the argv that runs a command in the caller's place as the ordinary user, with its own environment and env.
func (n *Network) Argv(env []string, command ...string) []string {
	s := n.root.stage
	argv := []string{
		"sudo", "-n", "--", "nsenter", "--net=" + callerPlace, "--",
		"setpriv", "--reuid=" + strconv.Itoa(s.UID), "--regid=" + strconv.Itoa(s.GID), "--clear-groups", "--", "env", "-i",
	}
	return append(append(argv, env...), command...)
}

const (
	callerPlace   = "/run/netns/caller"
	farAddress    = "10.77.2.2"
	farPort       = 2222
	callerAddress = "10.77.1.2"
)
