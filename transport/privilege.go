package transport

// facts are what is known about a hop beyond its argv.
type facts struct {
	gains bool // on this machine, the worker may be somebody whom the caller may not signal
	here  bool // the worker is on this machine, and has the very stdin, stdout and stderr that the hop was given
	away  bool // the worker is on another machine, or a server's, and ends when the hop does
	text  bool // some bytes are changed on the way, or nobody knows

	codes   bool // a signal that ends the worker may come back as the exit code 128 and its number
	mirrors bool // with codes: or the hop ends of that signal too
}

// factsOf assumes the worst of transports of other packages.
func factsOf(hop Transport) facts {
	if h, ok := hop.(interface{ facts() facts }); ok {
		return h.facts()
	}
	if _, ok := hop.(Dialer); ok {
		return facts{away: true, codes: true}
	}
	return facts{gains: true}
}

// GainsPrivilege reports whether the worker behind t may end up, on this machine, under a user id that the caller is
// not allowed to signal. Then killing the transport process would leave a worker that nobody here can stop: close its
// stdin and wait instead, and kill only as the last resort.
//
// It is true for [Sudo], [Su], [Doas], [Pkexec], for what a service starts ([Run0], [SystemdRun], [Docker] and its like,
// [LXC], [Machinectl]), and for [Command], [Template] and transports of other packages, because what they do is unknown.
// It is false for what only lowers or needs the caller's own rights ([Userns], [Runuser], [Setpriv], [Chroot], [Unshare],
// [Nsenter], [Jexec]), and for everything behind a hop to another machine ([SSH], [Kubectl], [Vagrant], [SRun], [BSub])
// or to a server ([Socket]): when the client dies the far side sees that, and nothing of it stays here.
func GainsPrivilege(t Transport) bool {
	for _, hop := range Hops(t) {
		switch f := factsOf(hop); {
		case f.away:
			return false
		case f.gains:
			return true
		}
	}
	return false
}

// Local reports whether the worker behind t is on this machine and has the very stdin, stdout and stderr that the first
// hop is given: descriptors can pass over a socket, and the end of one side shows to the other at once. It is false where
// a client and a service are in between, also on one machine.
func Local(t Transport) bool {
	for _, hop := range Hops(t) {
		if !factsOf(hop).here {
			return false
		}
	}
	return true
}

// TextOnly reports whether t changes some bytes, as a terminal does, where the worker may not notice: only the text form
// of the wire gets through for certain.
func TextOnly(t Transport) bool {
	for _, hop := range Hops(t) {
		if factsOf(hop).text {
			return true
		}
	}
	return false
}

// CodesSignals reports whether some hop of t may tell of a signal that ended the worker by an exit code of 128 and its
// number, as shells do.
func CodesSignals(t Transport) bool {
	for _, hop := range Hops(t) {
		if factsOf(hop).codes {
			return true
		}
	}
	return false
}

// KeepsSignals reports whether the process of t's first hop never ends by the signal that ended the worker: one that ends
// it says nothing about the worker.
func KeepsSignals(t Transport) bool {
	hops := Hops(t)
	if len(hops) == 0 {
		return false
	}
	f := factsOf(hops[0])
	return f.codes && !f.mirrors
}
