package transport

// CanAsk reports whether a hop can ask the caller for a password: [Sudo] and [SSH], which start a program of the caller's
// choice for that, and [Su] and [Doas], which such a program has to start at a terminal: see [AsksAtTerminal].
func CanAsk(hop Transport) bool {
	switch hop.(type) {
	case Sudo, SSH:
		return true
	}
	return AsksAtTerminal(hop)
}

// AsksAtTerminal reports whether a hop asks at a terminal and nowhere else: [Su] and [Doas]. The program that answers is
// not started by the hop then, but starts it.
func AsksAtTerminal(hop Transport) bool {
	switch hop.(type) {
	case Su, Doas:
		return true
	}
	return false
}

// Quits reports whether a hop that nobody answers fails at once when it needs a password: all that [CanAsk] but [Su],
// which makes an attempt with whatever it reads.
func Quits(hop Transport) bool {
	_, su := hop.(Su)
	return !su && CanAsk(hop)
}

// Askable says which hops of t ask as soon as they are started: the first one, those behind nothing but [SSH] or a [Dialer],
// and [Su].
// The others that [CanAsk] stand behind a hop that changes the user. To let one of these ask, another program has to be
// started there, which takes a rule of its own: first it is seen whether they need a password at all.
func Askable(t Transport) []bool {
	hops := Hops(t)
	out := make([]bool, len(hops))
	near := true
	for i, hop := range hops {
		out[i] = CanAsk(hop) && (near || !Quits(hop))
		near = near && (is[SSH](hop) || is[Dialer](hop))
	}
	return out
}

// Asking returns t with hops that ask for a password instead of failing when they need one. helpers[i] is the program on
// the machine of hop i that asks: one that sudo or ssh starts with the question as its argument, and prints the answer, or
// for a hop that [AsksAtTerminal], one that starts the rest of its argv at a terminal. An empty one leaves the hop as it
// is, and so does a hop that is not [CanAsk]. The hops are those of [Hops].
//
// sudo gets -A instead of -n. ssh gets BatchMode=no, and one attempt; StrictHostKeyChecking stays what it is, so that the
// helper may also be asked whether a host key is right. The helper of the first hop has to be in the environment that
// [AskEnvironment] returns; those of other hops stand in argv. doas loses -n.
//
// su asks at its stdin and stderr. It gets "--stdin" before it, which asks for these to be the terminal and for the real
// ones to be descriptors 3 and 4; the shell that su starts puts those back before it becomes the worker.
func Asking(t Transport, helpers []string) Transport {
	hops := Hops(t)
	out := make(Chain, len(hops))
	copy(out, hops)
	for i, helper := range helpers[:min(len(helpers), len(hops))] {
		if helper != "" {
			out[i] = asking(hops[i], helper, i > 0)
		}
	}
	return out
}

// asking is a hop that asks, if it can. A far one stands behind another.
func asking(hop Transport, helper string, far bool) Transport {
	var out Transport
	switch h := hop.(type) {
	case Sudo:
		out = askingSudo{h}
	case SSH:
		out = askingSSH{h, far}
	case Su, Doas:
		return atTerminal{h, helper, far}
	default:
		return hop
	}
	if far {
		return farAsking{out, helper}
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

// atTerminal is a hop that is started at a terminal.
type atTerminal struct {
	hop    Transport // Su or Doas
	helper string
	far    bool // behind another hop
}

func (a atTerminal) String() string { return a.hop.String() }

func (a atTerminal) Command(argv []string) ([]string, error) {
	if err := checkAbsolute("terminal helper", a.helper); err != nil {
		return nil, err
	}
	prefix := []string{a.helper}
	hop := a.hop
	switch h := hop.(type) {
	case Su:
		prefix, hop = append(prefix, "--stdin"), askingSu{h}
	case Doas:
		hop = askingDoas{h}
	}
	inner, err := hopCommand(hop, argv, a.far)
	if err != nil {
		return nil, err
	}
	return append(prefix, inner...), nil
}

// checkHere looks at what is on this machine.
func (a atTerminal) checkHere() error {
	if c, ok := a.hop.(interface{ checkHere() error }); ok {
		return c.checkHere()
	}
	return nil
}

// program is where in the argv of Command the program stands that gains the rights, which has to be root's.
func (a atTerminal) program() int {
	if is[Su](a.hop) {
		return 2
	}
	return 1
}

// askingSu is a su at a terminal.
type askingSu struct{ Su }

func (s askingSu) Command(argv []string) ([]string, error) {
	return s.command(argv, " <&3 2>&4 3<&- 4>&-")
}

// askingDoas is a doas that asks.
type askingDoas struct{ Doas }

func (d askingDoas) Command(argv []string) ([]string, error) { return d.command(argv) }
