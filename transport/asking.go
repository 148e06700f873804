package transport

// CanAsk reports whether a hop can ask for a password without a terminal: [Sudo] and [SSH], which start a program of
// the caller's choice for that.
func CanAsk(hop Transport) bool {
	switch hop.(type) {
	case Sudo, SSH:
		return true
	}
	return false
}

// Askable says which hops of t can reach a helper of this process: the first one, and those behind nothing but [SSH], where
// a helper can be brought as the user of that host. Behind a sudo there would have to be a rule for it.
func Askable(t Transport) []bool {
	hops := Hops(t)
	out := make([]bool, len(hops))
	for i, hop := range hops {
		out[i] = CanAsk(hop)
		if _, ok := hop.(SSH); !ok {
			break
		}
	}
	return out
}

// Asking returns t with hops that ask for a password instead of failing when they need one. helpers[i] is the program
// that hop i starts for that, on the machine where it runs; an empty one leaves the hop as it is, and so does a hop that
// is not [CanAsk]. The hops are those of [Hops].
//
// sudo gets -A instead of -n. ssh gets BatchMode=no, and one attempt; StrictHostKeyChecking stays what it is, so that the
// helper may also be asked whether a host key is right. The helper of the first hop has to be in the environment that
// [AskEnvironment] returns; those of other hops stand in argv.
func Asking(t Transport, helpers []string) Transport {
	hops := Hops(t)
	out := make(Chain, len(hops))
	for i, hop := range hops {
		if out[i] = hop; i >= len(helpers) || helpers[i] == "" {
			continue
		}
		switch h := hop.(type) {
		case Sudo:
			out[i] = askingSudo{h}
		case SSH:
			out[i] = askingSSH{h, i > 0}
		default:
			continue
		}
		if i > 0 {
			out[i] = farAsking{out[i], helpers[i]}
		}
	}
	return out
}

// AskEnvironment is what makes sudo and ssh start a helper when they ask.
func AskEnvironment(helper string) []string {
	return []string{"SUDO_ASKPASS=" + helper, "SSH_ASKPASS=" + helper, "SSH_ASKPASS_REQUIRE=force"}
}

// askingSudo is a sudo that asks.
type askingSudo struct{ Sudo }

func (s askingSudo) Command(argv []string) ([]string, error) { return s.command(argv, "-A") }

// askingSSH is an ssh that asks.
type askingSSH struct {
	SSH
	far bool // as in farSSH
}

func (s askingSSH) Command(argv []string) ([]string, error) { return s.command(argv, s.far, true) }

// farAsking is a hop behind another one whose helper is there too. Neither ssh nor sudo hands an environment on, so that
// env sets it in between.
type farAsking struct {
	hop    Transport
	helper string
}

func (f farAsking) String() string { return f.hop.String() }

func (f farAsking) Command(argv []string) ([]string, error) {
	inner, err := hopCommand(f.hop, argv, true)
	if err != nil {
		return nil, err
	}
	if err := checkAbsolute("askpass helper", f.helper); err != nil {
		return nil, err
	}
	return append(append([]string{"env"}, AskEnvironment(f.helper)...), inner...), nil
}
